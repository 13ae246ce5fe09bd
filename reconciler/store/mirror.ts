import type { Event, NewEvent } from "../model/event.js";
import { type Kind, kinds } from "../model/records.js";
import { EventLog } from "./event-log.js";
import { type Leadership, mayWrite } from "./leadership.js";
import type { Batch, CommitResult, EventQuery, Stored, Write } from "./port.js";
import { Shelf } from "./shelf.js";

/** A record with its kind, as it comes from disk. */
export type KindStored = { [K in Kind]: { readonly kind: K; readonly stored: Stored<K> } }[Kind];

/** What a store begins with. */
export interface Contents {
  readonly records: readonly KindStored[];
  readonly events: readonly Event[];
  readonly revision: number;
  readonly lastSeq: number;
  readonly takeovers: number;
}

/** The contents of a store that nobody has written to. */
export const emptyContents: Contents = { records: [], events: [], revision: 0, lastSeq: 0, takeovers: 0 };

/** One record before and after a batch; undefined where there is none. */
export interface Replacement {
  readonly kind: Kind;
  readonly key: string;
  readonly before: Stored<Kind> | undefined;
  readonly after: Stored<Kind> | undefined;
}

/** What one batch changed: enough to write it to disk, to tell watchers of it, and to take it back. */
export interface Step {
  readonly revision: number;
  readonly replaced: readonly Replacement[];
  readonly events: readonly Event[];
}

/** The outcome of a batch; `step` is there when something changed. */
export interface Applied {
  readonly result: CommitResult;
  readonly step?: Step;
}

/** Everything that a store holds, in memory. It judges batches and applies them whole or not at all. */
export class Mirror {
  leadership: Leadership;
  private current: number;
  private readonly shelves: Readonly<Record<Kind, Shelf<Stored<Kind>>>>;
  private readonly log: EventLog;

  constructor(contents: Contents, eventRetention: number) {
    this.leadership = { lease: undefined, takeovers: contents.takeovers };
    this.current = contents.revision;
    this.shelves = Object.fromEntries(kinds.map((kind) => [kind, new Shelf<Stored<Kind>>()])) as Record<Kind, Shelf<Stored<Kind>>>;
    this.log = new EventLog(eventRetention, [...contents.events], contents.lastSeq);
    for (const { kind, stored } of contents.records) this.shelves[kind].set(stored);
  }

  get revision(): number {
    return this.current;
  }

  get lastSeq(): number {
    return this.log.lastSeq;
  }

  get<K extends Kind>(kind: K, key: string): Stored<K> | undefined {
    return this.shelf(kind).get(key);
  }

  list<K extends Kind>(kind: K): readonly Stored<K>[] {
    return this.shelf(kind).list();
  }

  count(kind: Kind): number {
    return this.shelves[kind].size;
  }

  events(query: EventQuery): readonly Event[] {
    return this.log.page(query);
  }

  /** Judges a batch by what is here now, and applies it when nothing speaks against it. All its writes get one revision. */
  apply(batch: Batch): Applied {
    if (batch.epoch !== undefined && !mayWrite(this.leadership, batch.epoch)) return { result: { outcome: "deposed" } };
    const conflicts = batch.writes.filter((write) => !this.isExpected(write)).map(({ kind, key }) => ({ kind, key }));
    if (conflicts.length > 0) return { result: { outcome: "conflict", conflicts } };

    const step = this.follow(this.current + 1, batch.writes, batch.events ?? []);
    const result = { outcome: "committed", revision: this.current } as const;
    return step === undefined ? { result } : { result, step };
  }

  /** Does what was judged already, here or elsewhere, under `revision`; undefined when nothing changes by it. */
  follow(revision: number, writes: readonly Write[], added: readonly NewEvent[]): Step | undefined {
    const replaced = writes.flatMap((write) => this.replacement(write, revision));
    if (replaced.length === 0 && added.length === 0) return undefined;
    for (const { kind, key, after } of replaced) this.put(kind, key, after);
    this.current = revision;
    return { revision, replaced, events: this.log.append(added) };
  }

  /** Becomes what was read anew, and tells what that changed; what stayed the same stays the same object. */
  adopt({ records, events, revision, lastSeq }: Omit<Contents, "takeovers">): Step {
    const before = this.log.lastSeq;
    const replaced: Replacement[] = [];
    const found = new Map(kinds.map((kind) => [kind, new Set<string>()]));
    for (const { kind, stored } of records) {
      found.get(kind)?.add(stored.key);
      const known = this.shelves[kind].get(stored.key);
      if (known?.revision !== stored.revision) replaced.push({ kind, key: stored.key, before: known, after: stored });
    }
    for (const kind of kinds) {
      const gone = this.shelves[kind].list().filter(({ key }) => found.get(kind)?.has(key) !== true);
      for (const known of gone) replaced.push({ kind, key: known.key, before: known, after: undefined });
    }
    for (const { kind, key, after } of replaced) this.put(kind, key, after);
    this.current = revision;
    this.log.adopt(events, lastSeq);
    return { revision, replaced, events: events.filter(({ seq }) => seq > before) };
  }

  /** Goes on under higher numbers: those between were left out, and will be nobody's. */
  leap(revision: number, lastSeq: number): void {
    this.current = revision;
    this.log.leap(lastSeq);
  }

  /** Takes back steps that were applied last, newest first. */
  takeBack(steps: readonly Step[]): void {
    for (const step of steps.toReversed()) {
      for (const { kind, key, before } of step.replaced) this.put(kind, key, before);
      this.log.takeBack(step.events.length);
      this.current = step.revision - 1;
    }
  }

  /** The number up to which events may be forgotten, here and on disk, or undefined while there are not enough of them. */
  excessEvents(): number | undefined {
    return this.log.excess();
  }

  forgetEvents(upTo: number): void {
    this.log.forget(upTo);
  }

  private isExpected({ kind, key, expect }: Write): boolean {
    if (expect === "any") return true;
    const stored = this.shelves[kind].get(key);
    return expect === "absent" ? stored === undefined : stored?.revision === expect;
  }

  private replacement({ kind, key, value }: Write, revision: number): readonly Replacement[] {
    const before = this.shelves[kind].get(key);
    if (value === null && before === undefined) return [];
    return [{ kind, key, before, after: value === null ? undefined : Object.freeze({ key, revision, value }) }];
  }

  private put(kind: Kind, key: string, stored: Stored<Kind> | undefined): void {
    if (stored === undefined) this.shelves[kind].delete(key);
    else this.shelves[kind].set(stored);
  }

  /** Only records of its own kind are ever put on a kind's shelf. */
  private shelf<K extends Kind>(kind: K): Shelf<Stored<K>> {
    return this.shelves[kind] as unknown as Shelf<Stored<K>>;
  }
}
