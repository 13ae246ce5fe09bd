import type { Clock } from "../model/clock.js";

interface Timer {
  readonly at: number;
  readonly order: number;
  /** Nothing once it was taken back. */
  callback: (() => void) | undefined;
}

/** Time that moves only when it is told to, from one timer to the next; timers of one moment fire in the order in which they were set. */
export class VirtualClock implements Clock {
  private time: number;
  private order = 0;
  /** A binary heap: the next timer first. */
  private readonly heap: Timer[] = [];

  constructor(beginAt: number) {
    this.time = beginAt;
  }

  now(): number {
    return this.time;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer: Timer = { at: this.time + Math.max(Math.ceil(delayMs), 0), order: this.order++, callback };
    this.push(timer);
    return () => {
      timer.callback = undefined;
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Moves to the next timer and fires it; tells whether there was one not later than `until`. */
  fireNext(until: number): boolean {
    for (;;) {
      const next = this.heap[0];
      if (next === undefined || next.at > until) return false;
      this.pop();
      const { callback } = next;
      if (callback === undefined) continue;
      this.time = next.at;
      callback();
      return true;
    }
  }

  private push(timer: Timer): void {
    const { heap } = this;
    let index = heap.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(heap[index], heap[parent])) break;
      this.swap(index, parent);
      index = parent;
    }
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    for (let index = 0; ; ) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      let least = index;
      if (isBefore(heap[left], heap[least])) least = left;
      if (isBefore(heap[right], heap[least])) least = right;
      if (least === index) return;
      this.swap(index, least);
      index = least;
    }
  }

  private swap(a: number, b: number): void {
    const { heap } = this;
    const [first, second] = [heap[a], heap[b]];
    if (first === undefined || second === undefined) return;
    heap[a] = second;
    heap[b] = first;
  }
}

function isBefore(a: Timer | undefined, b: Timer | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
