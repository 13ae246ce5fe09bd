import { appendFileSync, existsSync, readFileSync, truncateSync } from "node:fs";
import { z } from "zod";
import { FireRunnerError } from "../model/errors.js";
import { readVersion } from "./version.js";

/** Seeds that were played one after the other, and what they did together. */
export const partSchema = z.object({
  seed: z.int(),
  seeds: z.int(),
  jobs: z.int(),
  /** MicroVMs that were made and are gone. */
  lifecycles: z.int(),
  /** Processor time that it took. */
  cpuSeconds: z.number(),
  /** The seeds that broke something, in their order, and what. */
  broken: z.array(z.object({ seed: z.int(), violations: z.array(z.string()) })),
});
export type Part = z.output<typeof partSchema>;

const lineSchema = partSchema.extend({
  /** How many jobs were asked for in each world; null for as few as each seed wants. */
  jobsASeed: z.int().nullable(),
  version: z.string(),
  at: z.iso.datetime(),
});

/** A file with one line of JSON for each part that was played: a hunt that was ended goes on after what it has. */
export class SimulationRecord {
  private constructor(
    private readonly path: string,
    private readonly jobsASeed: number | null,
    /** What was played before. */
    readonly parts: readonly Part[],
  ) {}

  /** Throws `FR-CONFIG` for a file that cannot be read, or of worlds with another number of jobs. A last line that was torn is taken away. */
  static open(path: string, jobs: number | undefined): SimulationRecord {
    const jobsASeed = jobs ?? null;
    const text = existsSync(path) ? readText(path) : "";
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole !== text) attempt(path, () => truncateSync(path, Buffer.byteLength(whole)));
    const lines = whole.split("\n").slice(0, -1);
    const parts = lines.map((line, index) => readLine(line, `${path}:${index + 1}`));
    for (const part of parts) {
      if (part.jobsASeed !== jobsASeed) {
        const [had, wanted] = [part.jobsASeed ?? "no --jobs", jobsASeed ?? "no --jobs"];
        throw new FireRunnerError("FR-CONFIG", `${path} is of worlds with ${had} and not ${wanted}: name another file, or the same --jobs`);
      }
    }
    return new SimulationRecord(path, jobsASeed, parts);
  }

  add(part: Part): void {
    const line = { ...part, jobsASeed: this.jobsASeed, version: readVersion(), at: new Date().toISOString() };
    attempt(this.path, () => appendFileSync(this.path, `${JSON.stringify(line)}\n`));
  }
}

/** The seeds from `seed` on, `seeds` of them, that are in none of the parts: as ranges of `size` at most. */
export function rangesLeft(
  seed: number,
  seeds: number,
  parts: readonly Pick<Part, "seed" | "seeds">[],
  size: number,
): { readonly seed: number; readonly seeds: number }[] {
  const end = seed + seeds;
  const left: { seed: number; seeds: number }[] = [];
  const addUpTo = (from: number, to: number) => {
    for (let at = from; at < to; at += size) left.push({ seed: at, seeds: Math.min(size, to - at) });
  };
  let next = seed;
  for (const part of parts.toSorted((a, b) => a.seed - b.seed)) {
    addUpTo(next, Math.min(part.seed, end));
    next = Math.max(next, part.seed + part.seeds);
  }
  addUpTo(next, end);
  return left;
}

function readLine(line: string, place: string): z.output<typeof lineSchema> {
  try {
    return lineSchema.parse(JSON.parse(line));
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", `reading what was played, at ${place}`);
  }
}

const readText = (path: string): string => attempt(path, () => readFileSync(path, "utf8"));

function attempt<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", `keeping what was played in ${path}`);
  }
}
