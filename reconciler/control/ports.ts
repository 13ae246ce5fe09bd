import type { FlintlockPort } from "../flintlock/port.js";
import type { ForgePort } from "../forge/port.js";
import type { GuestPort } from "../guest/port.js";
import type { Clock, Random } from "../model/clock.js";
import type { FireRunnerError } from "../model/errors.js";
import type { Effect } from "../plan/effect.js";
import type { Schedules } from "../plan/snapshot.js";
import type { Sealer, Store } from "../store/port.js";
import type { LeaseTimes } from "./lease-times.js";

/** What people and dashboards are told of the loop's work. */
export interface LoopObserver {
  pass(durationMs: number, decisions: number, effects: number): void;
  effect(effect: Effect, outcome: "ok" | "failed", durationMs: number, error?: FireRunnerError): void;
  fault(error: FireRunnerError): void;
  /** This process leads from now on, under an epoch; undefined when it does no more. */
  leads(epoch: string | undefined): void;
  /** A poll was the first to tell of so many things that webhooks should have told before. */
  foundByPolling(connection: string, count: number): void;
}

/** Everything that the loop reaches the outside through. */
export interface ControlPorts {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly flintlock: FlintlockPort;
  readonly forge: ForgePort;
  readonly guest: GuestPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: LoopObserver;
}

export interface ControlSettings {
  readonly owner: string;
  /** Who this process is among the replicas. */
  readonly holder: string;
  readonly schedules: Schedules;
  /** Those of a store that no other process shares when left out. */
  readonly lease?: LeaseTimes;
  /** How forges reach the public listener; without it no webhook is registered. */
  readonly publicUrl?: string | undefined;
}
