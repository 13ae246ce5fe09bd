import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { ManualClock } from "../../model/manual-clock.fixture.js";
import { until } from "../../model/until.fixture.js";
import { type RunnerEnd, type RunnerOptions, runRunner } from "./run-runner.js";

export const runnerToken = "glrt-token-of-the-test";

export interface RunningRunner {
  readonly clock: ManualClock;
  /** A directory of this runner alone; builds are in `builds` in it. */
  readonly directory: string;
  readonly lines: readonly string[];
  readonly ended: Promise<RunnerEnd>;
  quit(): void;
  terminate(): void;
  /** Moves the clock once somebody waits for exactly so long, and goes on doing so until the condition holds. */
  advanceUntil(ms: number, condition: () => boolean, what: string): Promise<void>;
}

/** Starts a runner in this process, on a clock that the test moves. It ends with the test, and its directory is gone then. */
export function startRunner(coordinator: { readonly url: string }, changes: Partial<RunnerOptions> = {}): RunningRunner {
  const clock = new ManualClock();
  const directory = mkdtempSync(join(tmpdir(), "fr-runner-"));
  const quit = new AbortController();
  const terminate = new AbortController();
  const lines: string[] = [];
  let isEnded = false;
  const ended = runRunner({
    url: coordinator.url,
    token: runnerToken,
    systemId: "r_1234567890ab",
    buildsDir: join(directory, "builds"),
    maxBuilds: 1,
    waitTimeoutS: 60,
    say: (line) => lines.push(line),
    env: { PATH: process.env.PATH, HOME: directory, FIRERUNNER_SECRET: "not for jobs" },
    quit: quit.signal,
    terminate: terminate.signal,
    clock,
    ...changes,
  }).finally(() => {
    isEnded = true;
  });
  onTestFinished(async () => {
    terminate.abort();
    await until(async () => {
      if (!isEnded) await clock.advance(1_000);
      return isEnded;
    }, "the runner's end");
    rmSync(directory, { recursive: true, force: true });
  });
  const advanceUntil = async (ms: number, condition: () => boolean, what: string) => {
    await until(async () => {
      if (condition()) return true;
      if (clock.waits(ms)) await clock.advance(ms);
      return false;
    }, what);
  };
  return {
    clock,
    directory,
    lines,
    ended,
    quit: () => quit.abort(),
    terminate: () => terminate.abort(),
    advanceUntil,
  };
}
