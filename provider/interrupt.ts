/** How long what is under way has to end, and its answers to be sent, before the engine's own patience (a second) ends. */
const graceMs = 800;
const sendMs = 50;

/** The end of this process as others ask for it. */
export interface Interrupt {
  /** Aborts when the process is told to end. */
  readonly signal: AbortSignal;
  /** Counts work as under way until it settles. */
  during<T>(work: Promise<T>): Promise<T>;
}

let installed: Interrupt | undefined;

/**
 * Aborts what is under way when this process is told to end, so that the engine still gets an answer to it, and then goes
 * as it was told: at once when nothing is under way. There is one for the process.
 */
export function interrupt(): Interrupt {
  installed ??= install();
  return installed;
}

function install(): Interrupt {
  const controller = new AbortController();
  let busy = 0;
  let exit: (() => void) | undefined;
  const settle = (): void => {
    busy -= 1;
    if (busy === 0 && exit !== undefined) setTimeout(exit, sendMs);
  };
  for (const [name, number] of [["SIGTERM", 15] as const, ["SIGINT", 2] as const]) {
    process.once(name, () => {
      exit = () => process.exit(128 + number);
      controller.abort();
      if (busy === 0) exit();
      else setTimeout(exit, graceMs);
    });
  }
  return {
    signal: controller.signal,
    during(work) {
      busy += 1;
      return work.finally(settle);
    },
  };
}
