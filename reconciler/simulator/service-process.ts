import type { LeaseTimes } from "../control/lease-times.js";
import { type Reconciler, startReconciler } from "../control/reconciler.js";
import type { FlintlockPort } from "../flintlock/port.js";
import type { ForgePort } from "../forge/port.js";
import { createGuest, type Guest } from "../guest/guest.js";
import type { Clock } from "../model/clock.js";
import type { FireRunnerError } from "../model/errors.js";
import type { Plan } from "../plan/draft.js";
import type { Effect } from "../plan/effect.js";
import type { Snapshot } from "../plan/snapshot.js";
import type { Sealer, Store } from "../store/port.js";
import { boundary, type Crossing, type Fate, type Life, newLife, tell } from "./boundary.js";
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";

export const owner = "sim";
const serviceKey = "5e".repeat(32);
const sealer: Sealer = { seal: (secret) => `sealed:${secret}`, open: (sealed) => sealed.slice("sealed:".length) };
const schedules = { pollMs: 10_000, pollHealthyMs: 60_000, listHostsMs: 10_000, sweepMs: 60_000, settleMs: 5_000 };

/** One service process: the production's loop, and its ears. It can die at any moment, or stand still. */
export interface ServiceProcess {
  readonly holder: string;
  readonly loop: Reconciler;
  readonly guest: Guest;
  /** The store as this process sees it. */
  readonly store: Store;
  readonly life: Life;
  /** When it began, or went on after it had stood still. */
  startedAt: number;
  /** Since when it leads, as it believes; undefined when it does not. */
  readonly leadsSince: () => number | undefined;
}

export interface ServiceProcessParts {
  readonly holder: string;
  readonly store: Store;
  readonly flintlock: FlintlockPort;
  readonly forge: ForgePort;
  readonly clock: VirtualClock;
  /** What the service takes for the time. */
  readonly now: () => number;
  readonly random: SeededRandom;
  readonly lease: LeaseTimes;
  readonly decide: (snapshot: Snapshot) => Plan;
  /** What becomes of the process at a call; asked before each. */
  readonly fate: (crossing: Crossing) => Fate;
  readonly passed: () => void;
  readonly carriedOut: (effect: Effect, outcome: "ok" | "failed") => void;
  readonly fault: (error: FireRunnerError) => void;
}

/** Starts a process on what is there. */
export function startProcess(parts: ServiceProcessParts): ServiceProcess {
  const life = newLife();
  const clock = clockOf(parts, life);
  const store = boundary("store", parts.store, life, parts.fate);
  const guest = createGuest({
    store,
    sealer,
    clock,
    key: serviceKey,
    owner,
    url: () => "https://firerunner.example",
    cloudConfig: () => "",
  });
  let leadsSince: number | undefined;
  const leads = (epoch: string | undefined) => {
    leadsSince = epoch === undefined ? undefined : parts.clock.now();
  };
  const loop = startReconciler(
    {
      store,
      sealer,
      flintlock: boundary("flintlock", parts.flintlock, life, parts.fate),
      forge: boundary("forge", parts.forge, life, parts.fate),
      guest,
      clock,
      random: parts.random,
      observer: { pass: parts.passed, effect: parts.carriedOut, fault: parts.fault, foundByPolling: () => {}, leads },
    },
    { owner, holder: parts.holder, schedules, lease: parts.lease },
    parts.decide,
  );
  return { holder: parts.holder, loop, guest, store, life, startedAt: parts.clock.now(), leadsSince: () => leadsSince };
}

/** Timers of a process that stands still go off when it goes on; those of a dead one never do. */
function clockOf({ clock, now }: ServiceProcessParts, life: Life): Clock {
  return {
    now,
    after: (delayMs, callback) => {
      let isWanted = true;
      const cancel = clock.after(delayMs, () => tell(life, () => isWanted && callback()));
      return () => {
        isWanted = false;
        cancel();
      };
    },
  };
}
