import { readVersion } from "./cli/version.js";
import type { LoopObserver } from "./control/ports.js";
import type { Reconciler } from "./control/reconciler.js";
import type { Guest } from "./guest/guest.js";
import type { GuestPort } from "./guest/port.js";
import { createLeaderRelay, type LeaderRelay } from "./http/leader-relay.js";
import type { Standing } from "./http/routes/health.js";
import type { Clock } from "./model/clock.js";
import { createReplicaBoard, type ReplicaBoard } from "./replicas/replica-board.js";
import type { Store } from "./store/port.js";
import type { MetricsRecorder } from "./telemetry/metrics.js";

export interface JoinReplicasOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** The service's key. */
  readonly key: string;
  /** What this process is called among the replicas. */
  readonly name: string;
  readonly guest: Guest;
  readonly metrics: MetricsRecorder;
  /** How the other replicas reach this one's admin API. */
  readonly adminUrl: string;
  /** The loop of this process, once it has begun. */
  readonly loop: () => Reconciler | undefined;
}

/** This process as one of several. */
export interface Replicas {
  readonly board: ReplicaBoard;
  readonly relay: LeaderRelay;
  /** The guests as all replicas hear them. */
  readonly guest: GuestPort;
  standing(): Standing;
  /** An observer that also lets the others know at once when this process leads, or does no more. */
  telling(observer: LoopObserver): LoopObserver;
}

/** Tells the other processes on the store of this one, and learns of them. With a store of its own it is alone. */
export function joinReplicas(options: JoinReplicasOptions): Replicas {
  const { store, clock, key, name, guest, metrics, loop } = options;
  const startedAt = clock.now();
  const version = readVersion();
  const epoch = (): { readonly epoch?: string } => {
    const led = loop()?.status().epoch;
    return led === undefined ? {} : { epoch: led };
  };
  const board = createReplicaBoard({
    ...{ store, clock, key, name, heard: guest.heard },
    news: () => ({ startedAt, version, adminUrl: options.adminUrl, ...epoch() }),
    onPollWanted: (connection) => loop()?.pollSoon(connection),
  });
  const relay = createLeaderRelay({
    ...{ clock, key, leads: () => loop()?.status().leading === true },
    leader() {
      const leader = board.leader();
      return leader?.isThis === true ? undefined : leader;
    },
  });
  function storeLagMs(): number {
    const view = store.ready();
    return view.current ? 0 : Math.max(clock.now() - view.since, 0);
  }
  metrics.measureStoreLag(() => storeLagMs() / 1000);
  metrics.countReplicas(() => board.replicas().length);
  return {
    board,
    relay,
    guest: {
      bootMetadata: guest.bootMetadata,
      readMark: guest.readMark,
      lastHeardAt: (vm) => later(guest.lastHeardAt(vm), board.lastHeardAt(vm)),
    },
    telling: (observer) => ({
      ...observer,
      leads(epoch) {
        observer.leads(epoch);
        board.tellNow();
      },
    }),
    standing() {
      const led = epoch();
      return { name, leading: led.epoch !== undefined, ...led, storeLagMs: storeLagMs(), replicas: board.replicas().length };
    },
  };
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
