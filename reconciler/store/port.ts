import type { FireRunnerError } from "../model/errors.js";
import type { Event, NewEvent } from "../model/event.js";
import type { Kind, Records } from "../model/records.js";

/** A record with its place in the store. `revision` grows with every write of any record. */
export interface Stored<K extends Kind> {
  readonly key: string;
  readonly revision: number;
  readonly value: Records[K];
}

/** What a write expects to find: this revision, nothing, or whatever there is. */
export type Expectation = number | "absent" | "any";

/** One record to write, or with `value: null` to delete. Deleting what is absent is no conflict under "any". */
export type Write = {
  [K in Kind]: { readonly kind: K; readonly key: string; readonly value: Records[K] | null; readonly expect: Expectation };
}[Kind];

/** Writes and events that happen together or not at all. */
export interface Batch {
  readonly writes: readonly Write[];
  readonly events?: readonly NewEvent[];
  /**
   * The epoch of the lease under which a leader writes; any other than the store's newest is refused. A lease that ran out
   * but was taken by nobody still writes: taking it makes a new epoch, so there are never two who may.
   */
  readonly epoch?: string;
}

/** Expected outcomes of a commit; anything else rejects. All writes of one commit get its revision. */
export type CommitResult =
  | { readonly outcome: "committed"; readonly revision: number }
  | { readonly outcome: "conflict"; readonly conflicts: readonly { readonly kind: Kind; readonly key: string }[] }
  | { readonly outcome: "deposed" };

/**
 * What changed in one commit, in the order of the writes; deleting what was absent changes nothing. When a store elsewhere had
 * to be read anew, one change tells all that is different.
 */
export interface Change {
  readonly revision: number;
  readonly changed: readonly { readonly kind: Kind; readonly key: string }[];
  readonly events: readonly Event[];
}

/** The right to write as leader until `expiresAt`, by this process's clock. */
export interface Lease {
  readonly holder: string;
  /** Counter and random id: every taking-over makes a new one. */
  readonly epoch: string;
  readonly expiresAt: number;
}

/** What to page through: events after a number, newest last. */
export interface EventQuery {
  readonly after: number;
  readonly limit: number;
  readonly subject?: { readonly kind: string; readonly name: string };
}

/**
 * Whether what is read is what is stored. A store elsewhere can be out of reach since some time (ms since the epoch): until it
 * was caught up with, reads show what was known last, and every call rejects.
 */
export type View = { readonly current: true } | { readonly current: false; readonly since: number; readonly error: FireRunnerError };

/**
 * Records that survive. Reads are synchronous and come from a mirror in memory which holds everything that was
 * committed here; a commit settles when it is durable.
 */
export interface Store {
  get<K extends Kind>(kind: K, key: string): Stored<K> | undefined;
  /** All records of a kind, in the order of their keys: the same array until one of them changes. */
  list<K extends Kind>(kind: K): readonly Stored<K>[];
  count(kind: Kind): number;
  /**
   * Rejects with `FR-INVALID` for what could not be read again (a value that its schema refuses, an unusable key, a record
   * written twice), and with `FR-STORE` when it could not be made durable: then nothing of the batch can be read here, but
   * after a crash it may be found nevertheless, and so may it when a store elsewhere is reached again.
   */
  commit(batch: Batch): Promise<CommitResult>;
  /** Calls back after each commit has become durable and readable; the returned function ends it. */
  watch(listener: (change: Change) => void): () => void;
  /** The oldest events are forgotten in time; numbers never come again. */
  events(query: EventQuery): readonly Event[];
  /** Takes the lease when it is free, expired or already `holder`'s (then it is renewed and keeps its epoch); undefined when another holds it. */
  acquireLease(holder: string, ttlMs: number): Promise<Lease | undefined>;
  releaseLease(holder: string): Promise<void>;
  /**
   * Leaves a word for the other processes on this store, in the place of the one before it, for `ttlMs`. Notes are no records:
   * no change tells of them, nothing waits for a disk, and they may be lost. Rejects with `FR-STORE`.
   */
  leaveNote(from: string, text: string, ttlMs: number): Promise<void>;
  /** The newest note of each process that left one, by its name. Rejects with `FR-STORE`. */
  notes(): Promise<ReadonlyMap<string, string>>;
  ready(): View;
  /**
   * Settles when everything committed here before survives the loss of one machine, as far as the store is set up for that
   * (replicas); rejects with `FR-STORE` when that is not so in time. To be awaited before what cannot be undone, like the
   * delivery of a credential.
   */
  settled(): Promise<void>;
  /** Finishes what was begun and closes; later calls reject with `FR-STORE`. */
  stop(): Promise<void>;
}

/** Seals secrets before they reach a store, with a key that lives outside it. */
export interface Sealer {
  /** `context` is bound to the sealed text: it opens only with the same one. */
  seal(secret: string, context: string): string;
  open(sealed: string, context: string): string;
}
