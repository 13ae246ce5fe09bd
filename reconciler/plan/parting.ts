import type { Microvm } from "../model/microvm.js";
import type { Draft } from "./draft.js";

/** How long a guest that is told to end its job may take: three of its heartbeats. Its runner needs no second to tell the forge. */
const partingMs = 30_000;

/**
 * A microVM whose time is up, with the order to its guest to end what runs there, so that the forge hears of it at once. It
 * is removed when the guest says that it has ended, and when that takes too long.
 */
export function toldToEnd(draft: Draft, vm: Microvm): Microvm {
  if (vm.endAskedAt !== undefined) return vm;
  return { ...vm, endAskedAt: draft.now, jobDeadlineAt: draft.now + partingMs };
}
