import type { Event, NewEvent } from "../model/event.js";
import type { EventQuery } from "./port.js";

/** How many events a store keeps unless it is told otherwise. */
export const defaultEventRetention = 50_000;

/** Old events leave in portions: forgetting one with each new one would touch the oldest page of the disk every time. */
const mostPortion = 500;

/** The newest events in memory, numbered without end. `retention` is how many are kept; up to a tenth more may wait to leave. */
export class EventLog {
  private readonly portion: number;

  /** `events` in the order of their numbers, none of them above `lastSeq`. */
  constructor(
    private readonly retention: number,
    private readonly events: Event[],
    private last: number,
  ) {
    this.portion = Math.min(mostPortion, Math.ceil(retention / 10));
  }

  get lastSeq(): number {
    return this.last;
  }

  append(added: readonly NewEvent[]): readonly Event[] {
    const numbered = added.map((event, index) => Object.freeze({ ...event, seq: this.last + 1 + index }));
    for (const event of numbered) this.events.push(event);
    this.last += numbered.length;
    return numbered;
  }

  /** Takes back the last `count` events, numbers included. */
  takeBack(count: number): void {
    this.events.length -= count;
    this.last -= count;
  }

  /** The number up to which events may be forgotten, once it is worth the effort. */
  excess(): number | undefined {
    const excess = this.events.length - this.retention;
    return excess >= this.portion ? this.events[excess - 1]?.seq : undefined;
  }

  /** Holds these events from now on, as if it had been made of them. */
  adopt(events: readonly Event[], last: number): void {
    this.events.splice(0, this.events.length);
    for (const event of events) this.events.push(event);
    this.last = last;
  }

  /** Numbers the next event after `last`, which is not below what the newest has. */
  leap(last: number): void {
    this.last = last;
  }

  forget(upTo: number): void {
    this.events.splice(0, this.firstAfter(upTo));
  }

  page(query: EventQuery): readonly Event[] {
    const { after, limit, subject } = query;
    const from = this.firstAfter(after);
    if (subject === undefined) return this.events.slice(from, from + Math.max(limit, 0));
    const found: Event[] = [];
    for (let index = from; index < this.events.length && found.length < limit; index++) {
      const event = this.events[index];
      if (event?.subject.kind === subject.kind && event.subject.name === subject.name) found.push(event);
    }
    return found;
  }

  private firstAfter(seq: number): number {
    let low = 0;
    let high = this.events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.events[middle]?.seq ?? 0) <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
