import { randomInt } from "node:crypto";
import { type FaultList, faultListHelp, parseFaultList } from "../../embedded/host/fault-list.js";
import { seededRandom } from "../../embedded/host/seeded-random.js";
import { type EmbeddedHost, type EmbeddedHostOptions, startEmbeddedHost } from "../../embedded/host/start-embedded-host.js";

/** The option by which embedded hosts get faults. */
export const faultsArg = {
  faults: {
    type: "string",
    valueHint: "list",
    description: `Faults of the hosts, such as lost-answers,late-deletes,unavailable=0.05; of ${faultListHelp}`,
  },
} as const;

/** Faults for embedded hosts, with the seed that decides when they happen. */
export interface HostFaults extends Pick<FaultList, "dials" | "timings"> {
  readonly seed: number;
  /** What was asked for, and how to have the same again. */
  readonly notice: string;
}

/** Reads the option; undefined when it was not given. Throws `FR-INVALID` as `parseFaultList` does. */
export function readHostFaults(list: string | undefined): HostFaults | undefined {
  if (list === undefined) return undefined;
  const { dials, timings, seed: given } = parseFaultList(list);
  const seed = given ?? randomInt(2 ** 32);
  return { dials, timings, seed, notice: given === undefined ? `${list} (the same again with seed=${seed})` : list };
}

/** Starts an embedded host that has the faults from its first call on; `nth` tells hosts of one seed apart. */
export async function startFaultyHost(options: EmbeddedHostOptions, faults: HostFaults | undefined, nth = 0): Promise<EmbeddedHost> {
  if (faults === undefined) return startEmbeddedHost(options);
  const host = await startEmbeddedHost({ ...options, timings: faults.timings, random: seededRandom(faults.seed + nth) });
  host.dial(faults.dials);
  return host;
}
