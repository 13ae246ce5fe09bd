import { setTimeout as pause } from "node:timers/promises";

const withinMs = 120_000;

/** Waits until `isSo`; throws when it is not within two minutes. `what` says in the error what was waited for. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs / 1000} s`);
    await pause(20);
  }
}
