import { spawn } from "node:child_process";
import { z } from "zod";
import { FireRunnerError } from "../model/errors.js";
import { playSeed } from "../simulator/hunt.js";

/** What the seeds of one hunt did together. */
export interface Tally {
  readonly seed: number;
  /** How many were played. */
  readonly seeds: number;
  readonly jobs: number;
  /** MicroVMs that were made and are gone. */
  readonly lifecycles: number;
  readonly seconds: number;
  /** The seeds that broke something, in their order, and what. */
  readonly broken: readonly { readonly seed: number; readonly violations: readonly string[] }[];
}

export interface HuntOptions {
  readonly seed: number;
  readonly seeds: number;
  readonly jobs: number | undefined;
  readonly workers: number;
  /** Ends with the first seed that breaks something. */
  readonly bail: boolean;
  /** Told how far it is, every ten seconds at most. */
  readonly progress: (line: string) => void;
}

const progressEveryMs = 10_000;
/** A process is given as many seeds at a time: enough to be worth its start. */
const portion = 200;

/** Plays seeds, in this process when one worker is asked for, and otherwise in processes of the same program. */
export async function huntSeeds(options: HuntOptions): Promise<Tally> {
  const beganAt = performance.now();
  const meter = new Meter(options, beganAt);
  if (options.workers <= 1) {
    for (let seed = options.seed; seed < options.seed + options.seeds && !meter.isOver(); seed++) {
      const { played } = await playSeed(seed, options.jobs);
      meter.add({ seeds: 1, jobs: played.jobs, lifecycles: played.lifecycles, broken: played.violations.length === 0 ? [] : [played] });
    }
  } else {
    const size = Math.min(portion, Math.ceil(options.seeds / options.workers));
    let next = options.seed;
    const end = options.seed + options.seeds;
    const work = async () => {
      while (next < end && !meter.isOver()) {
        const seed = next;
        next = Math.min(next + size, end);
        meter.add(await playElsewhere(seed, next - seed, options));
      }
    };
    await Promise.all(Array.from({ length: options.workers }, work));
  }
  return meter.told();
}

const tallySchema = z.object({
  seeds: z.int(),
  jobs: z.int(),
  lifecycles: z.int(),
  broken: z.array(z.object({ seed: z.int(), violations: z.array(z.string()) })),
});
type Part = z.output<typeof tallySchema>;

class Meter {
  private readonly total: Part = { seeds: 0, jobs: 0, lifecycles: 0, broken: [] };
  private toldAt: number;

  constructor(
    private readonly options: HuntOptions,
    private readonly beganAt: number,
  ) {
    this.toldAt = beganAt;
  }

  add({
    seeds,
    jobs,
    lifecycles,
    broken,
  }: {
    readonly seeds: number;
    readonly jobs: number;
    readonly lifecycles: number;
    readonly broken: Tally["broken"];
  }): void {
    const { total } = this;
    total.seeds += seeds;
    total.jobs += jobs;
    total.lifecycles += lifecycles;
    total.broken.push(...broken.map(({ seed, violations }) => ({ seed, violations: [...violations] })));
    const now = performance.now();
    if (now - this.toldAt < progressEveryMs) return;
    this.toldAt = now;
    const perSecond = ((total.lifecycles * 1000) / (now - this.beganAt)).toFixed(0);
    this.options.progress(
      `${total.seeds} of ${this.options.seeds} seeds, ${total.jobs} jobs, ${perSecond} VM lifecycles/s, ${total.broken.length} broken`,
    );
  }

  isOver(): boolean {
    return this.options.bail && this.total.broken.length > 0;
  }

  told(): Tally {
    const { seed } = this.options;
    const broken = this.total.broken.toSorted((a, b) => a.seed - b.seed);
    return { ...this.total, broken, seed, seconds: (performance.now() - this.beganAt) / 1000 };
  }
}

/** The same program plays them; it ends with 1 when something was broken, and says on its standard output what. */
function playElsewhere(seed: number, seeds: number, { jobs, bail }: HuntOptions): Promise<Part> {
  const program = process.argv[1];
  if (program === undefined) throw new FireRunnerError("FR-INTERNAL", "simulate: this process does not know its program");
  const options = [...(jobs === undefined ? [] : ["--jobs", String(jobs)]), ...(bail ? ["--bail"] : [])];
  const args = [
    program,
    "simulate",
    "--seed",
    String(seed),
    "--seeds",
    String(seeds),
    ...options,
    "--workers",
    "1",
    "--no-examine",
    "-o",
    "json",
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let [answer, complaint] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = `${complaint}${text}`.slice(-2_000);
    });
    child.once("error", reject);
    child.once("close", (code) => {
      try {
        resolve(tallySchema.parse(JSON.parse(answer)));
      } catch {
        reject(
          new FireRunnerError(
            "FR-INTERNAL",
            `simulate: the process of seeds ${seed} to ${seed + seeds - 1} ended with ${code}: ${complaint}`,
          ),
        );
      }
    });
  });
}
