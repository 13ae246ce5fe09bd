/**
 * The first SIGINT or SIGTERM of this process: as a signal for what is under way, and as a promise. A second one ends the
 * process at once.
 */
export function untilAsked(): { readonly signal: AbortSignal; readonly asked: Promise<void> } {
  const controller = new AbortController();
  const asked = new Promise<void>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(name === "SIGINT" ? 130 : 143);
      controller.abort(new Error(`ended by ${name}`));
    });
  }
  return { signal: controller.signal, asked };
}
