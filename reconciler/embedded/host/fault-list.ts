import { FireRunnerError } from "../../model/errors.js";
import { type ChanceFault, type HostDials, noFaults } from "./dials.js";
import type { HostTimings } from "./host-machine.js";

/** Faults as they are asked for in words: dials for a host, and the seed of what happens by chance. */
export interface FaultList {
  readonly dials: HostDials;
  /** Timings that let everything be seen within minutes: what a real host does after ten of them is done after one. */
  readonly timings: Partial<HostTimings>;
  /** The same seed gives the same faults in the same order. */
  readonly seed: number | undefined;
}

const usualChance = 0.1;
const mostMs = 600_000;
const quickTimings: Partial<HostTimings> = { backoffMs: 2_000, resyncMs: 15_000 };

const chances: Readonly<Record<string, ChanceFault>> = {
  unavailable: "unavailable",
  "lost-answers": "cutAnswers",
  "hung-answers": "hungAnswers",
  "failed-builds": "failedBuilds",
  "failed-lists": "failedLists",
  "lost-deletes": "lostDeletes",
  "late-deletes": "lateDeletes",
  crashes: "crashes",
};
const durations: Readonly<Record<string, "latencyMs" | "pullMs">> = { latency: "latencyMs", "slow-pulls": "pullMs" };

/** What may stand in a list, for help texts. */
export const faultListHelp = `${Object.keys(chances).join(", ")} (each =0..1, ${usualChance} when left out), ${Object.keys(durations).join(", ")} (=milliseconds), seed (=number)`;

/** Reads `lost-answers,late-deletes,unavailable=0.05`. Throws `FR-INVALID` with the part that is refused and what is accepted. */
export function parseFaultList(text: string): FaultList {
  let dials = noFaults;
  let seed: number | undefined;
  for (const part of text.split(",").map((one) => one.trim())) {
    const [name = "", value] = part.split("=", 2);
    const [chance, duration] = [own(chances, name), own(durations, name)];
    if (chance !== undefined) dials = { ...dials, chances: { ...dials.chances, [chance]: numberOf(part, value ?? `${usualChance}`, 1) } };
    else if (duration !== undefined) dials = { ...dials, [duration]: wholeNumberOf(part, value, mostMs) };
    else if (name === "seed") seed = wholeNumberOf(part, value, 2 ** 32 - 1);
    else throw refused(part, `must be one of ${faultListHelp}`);
  }
  return { dials, timings: quickTimings, seed };
}

/** Not what every object has. */
const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined => (Object.hasOwn(table, name) ? table[name] : undefined);

function numberOf(part: string, text: string, most: number): number {
  if (/^\d+(\.\d+)?$/.test(text) && Number(text) <= most) return Number(text);
  throw refused(part, `must have a number from 0 to ${most} after its name, such as ${part.split("=")[0]}=${usualChance}`);
}

function wholeNumberOf(part: string, text: string | undefined, most: number): number {
  if (text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= most) return Number(text);
  throw refused(part, `must have a whole number from 0 to ${most} after its name, such as ${part.split("=")[0]}=500`);
}

function refused(part: string, accepted: string): FireRunnerError {
  return new FireRunnerError("FR-INVALID", `faults: "${part}" is refused: ${accepted}`);
}
