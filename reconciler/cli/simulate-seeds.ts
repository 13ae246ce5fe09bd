import { playSeed } from "../simulator/hunt.js";
import { playElsewhere } from "./simulate-elsewhere.js";
import { type Part, rangesLeft, type SimulationRecord } from "./simulate-record.js";

/** What the seeds of one hunt did together, with those that its record has. */
export interface Tally extends Part {
  /** How long it took; of the seeds that were played now, and not before. */
  readonly seconds: number;
  /** How many of the seeds were played before. */
  readonly before: number;
}

export interface HuntOptions {
  readonly seed: number;
  readonly seeds: number;
  readonly jobs: number | undefined;
  readonly workers: number;
  /** Ends with the first seed that breaks something. */
  readonly bail: boolean;
  /** What was played before, and is not played again; what is played now is added to it. */
  readonly record?: SimulationRecord | undefined;
  /** Told how far it is, every ten seconds at most. */
  readonly progress: (line: string) => void;
}

const progressEveryMs = 10_000;
/** A process is given as many seeds at a time: enough to be worth its start. With a record fewer are lost when it is ended. */
const portion = 200;
const recordedPortion = 100;

/** Plays seeds, in this process when one worker is asked for, and otherwise in processes of the same program. */
export async function huntSeeds(options: HuntOptions): Promise<Tally> {
  const { seed, seeds, workers, record } = options;
  const before = (record?.parts ?? []).filter((part) => part.seed >= seed && part.seed + part.seeds <= seed + seeds);
  const meter = new Meter(options, before);
  const size = Math.min(record === undefined ? portion : recordedPortion, Math.ceil(seeds / workers));
  const left = rangesLeft(seed, seeds, before, workers === 1 ? 1 : size);
  const work = async () => {
    for (let range = left.shift(); range !== undefined && !meter.isOver(); range = left.shift()) {
      const play = workers === 1 ? playHere : playElsewhere;
      meter.add(await play(range.seed, range.seeds, options));
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return meter.told();
}

/** One seed, in this process. */
async function playHere(seed: number, seeds: number, { jobs: asked }: Pick<HuntOptions, "jobs">): Promise<Part> {
  const began = process.cpuUsage();
  const { played } = await playSeed(seed, asked);
  const { jobs, lifecycles, violations } = played;
  const { user, system } = process.cpuUsage(began);
  return {
    seed,
    seeds,
    jobs,
    lifecycles,
    cpuSeconds: (user + system) / 1e6,
    broken: violations.length === 0 ? [] : [{ seed, violations: [...violations] }],
  };
}

class Meter {
  private readonly total = { seeds: 0, jobs: 0, lifecycles: 0, cpuSeconds: 0, broken: [] as Part["broken"] };
  private readonly beganAt = performance.now();
  private toldAt = this.beganAt;
  private readonly before: number;

  constructor(
    private readonly options: HuntOptions,
    before: readonly Part[],
  ) {
    for (const part of before) this.count(part);
    this.before = this.total.seeds;
  }

  add(part: Part): void {
    this.count(part);
    this.options.record?.add(part);
    const now = performance.now();
    if (now - this.toldAt < progressEveryMs) return;
    this.toldAt = now;
    const { seeds, jobs, lifecycles, cpuSeconds, broken } = this.total;
    const perSecond = (lifecycles / Math.max(cpuSeconds, 0.001)).toFixed(0);
    this.options.progress(
      `${seeds} of ${this.options.seeds} seeds, ${jobs} jobs, ${perSecond} VM lifecycles per second of processor time, ${broken.length} broken`,
    );
  }

  isOver(): boolean {
    return this.options.bail && this.total.broken.length > 0;
  }

  told(): Tally {
    const broken = this.total.broken.toSorted((a, b) => a.seed - b.seed);
    const seconds = (performance.now() - this.beganAt) / 1000;
    return { ...this.total, broken, seed: this.options.seed, seconds, before: this.before };
  }

  private count({ seeds, jobs, lifecycles, cpuSeconds, broken }: Part): void {
    const { total } = this;
    total.seeds += seeds;
    total.jobs += jobs;
    total.lifecycles += lifecycles;
    total.cpuSeconds += cpuSeconds;
    total.broken.push(...broken);
  }
}
