import type { Snapshot } from "../plan/snapshot.js";

/** How the last call to a host or forge went. */
export type LastAnswer = { readonly ok: true } | { readonly ok: false; readonly message: string };

/** What the admin API may see of the loop of this process, and ask of it. */
export interface LoopView {
  /** What the loop would decide upon at this moment; undefined when this process does not lead. */
  look(): Snapshot | undefined;
  /** Reads every host and forge as soon as possible; `false` when this process does not lead. */
  sweepSoon(): boolean;
  /** By `host/<name>` or `connection/<name>`; undefined when nothing was asked there. */
  lastAnswer(lane: string): LastAnswer | undefined;
}
