import type { GuestReport } from "../model/front-door.js";
import type { Identity } from "../model/identity.js";
import { isLeaving, type Microvm } from "../model/microvm.js";

/** What a guest is to do: fetch its runner's configuration, wait, or power off. */
export type Order = "run" | "park" | "stop";

/** An identity whose token can be handed out. */
export type ReadyIdentity = Identity & { readonly runnerId: number; readonly sealedToken: string };

export function isReady(identity: Identity | undefined): identity is ReadyIdentity {
  return identity?.state === "ready" && identity.runnerId !== undefined && identity.sealedToken !== undefined;
}

/** Whether nothing more is wanted of the guest: its microVM was told to go, or it misbehaved, or it said that it is done. */
export function isOver(vm: Microvm, report: GuestReport): boolean {
  return isLeaving(vm) || report.fault !== undefined || report.done !== undefined;
}

/** The order for a guest that is about to begin. One that has begun before gets no second runner: it ends. */
export function orderFor(vm: Microvm, report: GuestReport, identity: Identity | undefined): Order {
  if (isOver(vm, report) || report.startedAt !== undefined) return "stop";
  return isReady(identity) ? "run" : "park";
}
