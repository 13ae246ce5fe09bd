import type { Clock } from "../model/clock.js";
import type { Replica } from "../model/replica.js";
import type { Store } from "../store/port.js";
import { createNoteBook, type ReplicaNote } from "./replica-note.js";

/** What this process tells of itself. */
export interface OwnNews {
  readonly startedAt: number;
  readonly version: string;
  readonly adminUrl: string;
  readonly epoch?: string;
}

export interface ReplicaBoardOptions {
  readonly store: Pick<Store, "commit" | "leaveNote" | "notes" | "watch">;
  readonly clock: Clock;
  /** The service's key: 64 hex digits. */
  readonly key: string;
  readonly name: string;
  readonly news: () => OwnNews;
  /** When each guest was heard by this process. */
  readonly heard: () => Iterable<readonly [string, number]>;
  /** Another replica wants a connection to be polled soon. */
  readonly onPollWanted: (connection: string) => void;
}

/** What replicas tell each other beside the records. */
export interface ReplicaBoard {
  /** This process and the others that were heard of lately, by name. */
  replicas(): readonly Replica[];
  /** The one that leads, as far as is known here. */
  leader(): Replica | undefined;
  /** When another replica heard a guest, by this process's clock. */
  lastHeardAt(vm: string): number | undefined;
  /** Asks whoever leads to poll a connection soon. */
  wantPoll(connection: string): void;
  /** Tells the others at once, and not only when it is time for it. */
  tellNow(): void;
  stop(): Promise<void>;
}

const tellEveryMs = 2_000;
/** Less than `goneAfterMs`: a note that still lay there would bring back one that is gone. */
const noteLastsMs = 10_000;
/** A replica that was not heard of for so long is gone. */
const goneAfterMs = 15_000;
/** What was heard longer ago is of no use to anybody. */
const heardWithinMs = 120_000;

interface Known {
  readonly note: ReplicaNote;
  readonly toldAt: number;
}

/** Leaves a note about this process every two seconds, and reads those of the others. When the store is away it tries again. */
export function createReplicaBoard(options: ReplicaBoardOptions): ReplicaBoard {
  const { store, clock, name, news, heard, onPollWanted } = options;
  const book = createNoteBook(options.key);
  const others = new Map<string, Known>();
  const heardAt = new Map<string, number>();
  const wantedPolls = new Map<string, number>();
  let seq = 0;
  let revision = 0;
  let isStopped = false;
  let running: Promise<void> | undefined;
  let isWanted = false;
  let cancel = () => {};
  const unwatch = store.watch((change) => {
    revision = change.revision;
  });

  function ownNote(): ReplicaNote {
    const now = clock.now();
    const ages = [...heard()].flatMap(([vm, at]): [string, number][] => (now - at < heardWithinMs ? [[vm, Math.max(now - at, 0)]] : []));
    return { ...news(), seq, revision, heardAgoMs: Object.fromEntries(ages), wantedPolls: Object.fromEntries(wantedPolls) };
  }

  function take(from: string, note: ReplicaNote): void {
    const now = clock.now();
    const before = others.get(from);
    if (before?.note.seq === note.seq) return;
    others.set(from, { note, toldAt: now });
    // The first note of a replica may have been lying there: when it was written is not known.
    if (before === undefined) return;
    for (const [vm, agoMs] of Object.entries(note.heardAgoMs)) heardAt.set(vm, Math.max(heardAt.get(vm) ?? 0, now - agoMs));
    for (const [connection, times] of Object.entries(note.wantedPolls)) {
      if (times > (before.note.wantedPolls[connection] ?? 0)) onPollWanted(connection);
    }
  }

  function forgetOld(): void {
    const now = clock.now();
    for (const [from, { toldAt }] of others) if (now - toldAt > goneAfterMs || toldAt > now) others.delete(from);
    for (const [vm, at] of heardAt) if (now - at > heardWithinMs || at > now) heardAt.delete(vm);
  }

  /** What was committed before this process came was told to no watcher here. */
  async function learnRevision(): Promise<void> {
    const result = await store.commit({ writes: [] });
    if (result.outcome === "committed") revision = Math.max(revision, result.revision);
  }

  async function exchange(): Promise<void> {
    seq += 1;
    try {
      if (revision === 0) await learnRevision();
      await store.leaveNote(name, book.write(name, ownNote()), noteLastsMs);
      for (const [from, text] of await store.notes()) {
        const note = from === name ? undefined : book.read(from, text);
        if (note !== undefined) take(from, note);
      }
    } catch {
      // Whoever needs the store says that it is away; the next note tells all that this one would have.
    }
    forgetOld();
  }

  function tell(): void {
    if (isStopped) return;
    isWanted = true;
    if (running !== undefined) return;
    isWanted = false;
    cancel();
    running = exchange().finally(() => {
      running = undefined;
      if (isStopped) return;
      if (isWanted) tell();
      else cancel = clock.after(tellEveryMs, tell);
    });
  }

  function replicas(): readonly Replica[] {
    const own = ownNote();
    const all = [{ from: name, note: own, toldAt: clock.now() }, ...[...others].map(([from, known]) => ({ from, ...known }))];
    const newest = Math.max(...all.map(({ note }) => note.revision));
    return all
      .map(({ from, note, toldAt }): Replica => {
        const { adminUrl, version, startedAt, epoch } = note;
        const leads = epoch === undefined ? {} : { epoch };
        const behind = newest - note.revision;
        return { name: from, isThis: from === name, adminUrl, version, startedAt, ...leads, revision: note.revision, behind, toldAt };
      })
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  tell();
  return {
    replicas,
    leader: () => {
      const all = replicas().filter(({ epoch }) => epoch !== undefined);
      // Who was deposed says so a little later than the next one says that it leads.
      return all.toSorted((a, b) => takeover(b) - takeover(a))[0];
    },
    lastHeardAt: (vm) => heardAt.get(vm),
    wantPoll(connection) {
      wantedPolls.set(connection, (wantedPolls.get(connection) ?? 0) + 1);
      tell();
    },
    tellNow: tell,
    async stop() {
      isStopped = true;
      cancel();
      unwatch();
      await running;
    },
  };
}

/** Epochs begin with a number that grows. */
const takeover = ({ epoch = "" }: Replica): number => Number.parseInt(epoch, 10) || 0;
