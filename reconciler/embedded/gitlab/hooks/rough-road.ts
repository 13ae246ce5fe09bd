import type { Clock, Random } from "../../../model/clock.js";
import type { Dials } from "../dials.js";

export interface RoadOptions<T> {
  readonly clock: Clock;
  readonly random: Random;
  readonly dials: () => Dials["hooks"];
  /** Takes what has come through, in the order in which it came. */
  readonly arrive: (arrived: readonly T[]) => void;
  /** Beyond so many on the way, further ones are lost. */
  readonly maxOnTheWay: number;
}

/** The way of webhooks from the event to the queue: as smooth or as rough as the dials say. */
export interface Road<T> {
  send(one: T): void;
  /** Whether nothing is on the way. */
  empty(): boolean;
  stop(): void;
}

/** Loses, doubles, delays and reverses what is sent over it; with the dials at rest everything arrives at once. */
export function createRoad<T>({ clock, random, dials, arrive, maxOnTheWay }: RoadOptions<T>): Road<T> {
  const timers = new Set<() => void>();
  let heldBack: T[] = [];
  let cancelHold: (() => void) | undefined;

  function later(ms: number, work: () => void): () => void {
    const cancelTimer = clock.after(ms, () => {
      timers.delete(cancel);
      work();
    });
    const cancel = () => {
      timers.delete(cancel);
      cancelTimer();
    };
    timers.add(cancel);
    return cancel;
  }

  function release(): void {
    cancelHold?.();
    cancelHold = undefined;
    const batch = heldBack.reverse();
    heldBack = [];
    arrive(batch);
  }

  function admit(one: T): void {
    const { reverseBatch, reverseWaitMs } = dials();
    heldBack.push(one);
    if (heldBack.length >= reverseBatch) release();
    else cancelHold ??= later(reverseWaitMs, release);
  }

  return {
    send(one) {
      const { dropShare, duplicateShare, delayMs, jitterMs } = dials();
      if (dropShare > 0 && random.next() < dropShare) return;
      const copies = duplicateShare > 0 && random.next() < duplicateShare ? 2 : 1;
      for (let copy = 0; copy < copies; copy += 1) {
        const ms = delayMs + (jitterMs === 0 ? 0 : Math.floor(random.next() * jitterMs));
        if (ms === 0) admit(one);
        else if (timers.size < maxOnTheWay) later(ms, () => admit(one));
      }
    },
    empty: () => timers.size === 0 && heldBack.length === 0,
    stop() {
      for (const cancel of [...timers]) cancel();
      heldBack = [];
    },
  };
}
