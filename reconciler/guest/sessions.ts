import { createHash } from "node:crypto";
import type { Clock } from "../model/clock.js";
import type { GuestReport } from "../model/front-door.js";
import type { Microvm } from "../model/microvm.js";
import type { Store } from "../store/port.js";
import { sameText } from "./signing.js";

/** A guest that proved to hold the secret which claimed its microVM. */
export interface Session {
  readonly vm: string;
  readonly secretSha256: string;
}

/** What stands of a session right now. */
interface SessionState {
  readonly vm: Microvm;
  readonly report: GuestReport;
}

/** Who may speak for which microVM, and when each was heard: the latter is soft state and is not committed. */
export interface Sessions {
  /** The session of a microVM's secret; undefined when it is not the one that claimed it. Counts as heard. */
  authenticate(vm: string, secret: string): Session | undefined;
  /** The records behind a session, unless it has ended since: read for every decision. */
  current(session: Session): SessionState | undefined;
  hear(vm: string): void;
  lastHeardAt(vm: string): number | undefined;
  /** When each guest was heard last. */
  heard(): Iterable<readonly [string, number]>;
  /** Counts the logs that a microVM's guest sent; false when it sent enough. */
  admitsLog(vm: string): boolean;
  forget(vm: string): void;
}

/** A guest sends its log once, and may repeat it when the answer was lost. */
const logsPerMicrovm = 4;
const nobody = "0".repeat(64);

export function createSessions(store: Pick<Store, "get">, clock: Pick<Clock, "now">): Sessions {
  const heard = new Map<string, { at: number; logs: number }>();

  function current({ vm: name, secretSha256 }: Session): SessionState | undefined {
    const vm = store.get("microvm", name)?.value;
    const report = store.get("guestReport", name)?.value;
    const isBound = sameText(secretSha256, report?.secretSha256 ?? nobody);
    return vm !== undefined && report !== undefined && isBound ? { vm, report } : undefined;
  }

  function hear(vm: string): void {
    const logs = heard.get(vm)?.logs ?? 0;
    if (store.get("microvm", vm) !== undefined) heard.set(vm, { at: clock.now(), logs });
  }

  return {
    authenticate(vm, secret) {
      const session = { vm, secretSha256: createHash("sha256").update(secret).digest("hex") };
      if (current(session) === undefined) return undefined;
      hear(vm);
      return session;
    },
    current,
    hear,
    lastHeardAt: (vm) => heard.get(vm)?.at,
    heard: () => [...heard].map(([vm, { at }]) => [vm, at] as const),
    admitsLog(vm) {
      const entry = heard.get(vm);
      if (entry === undefined || entry.logs >= logsPerMicrovm) return false;
      entry.logs += 1;
      return true;
    },
    forget: (vm) => void heard.delete(vm),
  };
}
