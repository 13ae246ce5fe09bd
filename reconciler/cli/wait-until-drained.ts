import { setTimeout as pause } from "node:timers/promises";
import { FireRunnerError } from "../model/errors.js";
import type { Operation } from "../model/front-door.js";
import type { Microvm } from "../model/microvm.js";
import type { AdminClient } from "./admin-client.js";
import { duration } from "./output/times.js";

const askEveryMs = 1_000;
const shownVms = 5;

export interface DrainWait {
  readonly client: AdminClient;
  readonly host: string;
  readonly timeoutS: number;
  /** Told whenever what is left has changed. */
  readonly say: (line: string) => void;
}

/**
 * Waits until a host that drains holds nothing any more. `FR-REFERENCED` when it still does after `timeoutS`,
 * `FR-CONFLICT` when its drain was taken back meanwhile.
 */
export async function waitUntilDrained({ client, host, timeoutS, say }: DrainWait): Promise<void> {
  const path = `/v1/hosts/${encodeURIComponent(host)}`;
  const until = Date.now() + timeoutS * 1000;
  let said = "";
  for (;;) {
    const left = (await client.list("/v1/microvms", { host })) as readonly Microvm[];
    if (left.length === 0) return;
    const { operations } = (await client.read(path)) as { readonly operations: readonly Operation[] };
    if (!operations.some(({ operation }) => operation === "drain" || operation === "forget")) {
      throw new FireRunnerError("FR-CONFLICT", `host "${host}" is not drained any more: somebody took it back, with ${count(left)} left`);
    }
    const text = `waiting for ${count(left)}: ${describe(left)}`;
    if (text !== said) say(text);
    said = text;
    if (Date.now() >= until) {
      const message = `host "${host}" still holds ${count(left)} after ${duration(timeoutS * 1000)}: ${describe(left)}; it goes on draining`;
      throw new FireRunnerError("FR-REFERENCED", message);
    }
    await pause(Math.max(Math.min(askEveryMs, until - Date.now()), 1));
  }
}

const count = (vms: readonly Microvm[]): string => `${vms.length} microVM${vms.length === 1 ? "" : "s"}`;

function describe(vms: readonly Microvm[]): string {
  const shown = vms.slice(0, shownVms).map(({ name, phase, job }) => `${name} (${job === undefined ? phase : `${phase}, job ${job}`})`);
  return [...shown, ...(vms.length > shownVms ? [`${vms.length - shownVms} more`] : [])].join(", ");
}
