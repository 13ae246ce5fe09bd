import { randomUUID } from "node:crypto";
import type { Clock, Random } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import type { Event } from "../../model/event.js";
import type { Kind } from "../../model/records.js";
import { checkBatch } from "../checked-batch.js";
import { defaultEventRetention } from "../event-log.js";
import { checkClaim } from "../leadership.js";
import { emptyContents, Mirror } from "../mirror.js";
import type { Batch, Change, CommitResult, EventQuery, Lease, Store, Stored, View } from "../port.js";
import { Watchers, warnOfFault } from "../watchers.js";
import { Barrier } from "./barrier.js";
import { batchText } from "./batch-text.js";
import { deadline } from "./deadline.js";
import { Follower } from "./follower.js";
import type { RedisServer } from "./redis-server.js";
import { claimScript, commitScript, leaveNoteScript, notesScript, releaseScript } from "./scripts.js";
import { fieldsOf, type Session } from "./session.js";

export interface RedisStoreOptions {
  readonly server: RedisServer;
  /** Begins the name of every key; stores with other prefixes may share the server. */
  readonly prefix: string;
  /** Tells the sealing key from others, and nothing of it (`sealingKeyId`): replicas with different keys would not read each other's secrets. */
  readonly keyId: string;
  /** How many replicas of Redis must have a lease before it counts, and everything before `settled` settles; none when left out. */
  readonly minReplicas?: number;
  readonly clock: Pick<Clock, "now">;
  readonly random: Random;
  /** How many events are kept; 50,000 when left out. */
  readonly eventRetention?: number;
  /** Hears of watchers that threw, and once of each time in which the store is out of reach; without it they become warnings of the process. */
  readonly onFault?: (error: FireRunnerError) => void;
}

/** How long the store may be out of reach when it is opened, in ms. */
const openMs = 20_000;
/** So many commits of the feed are kept for those who were away; who missed more reads everything anew. */
const feedLength = 4_000;
/** More calls at once are refused: whoever writes faster than Redis is told so. */
const mostUnderWay = 20_000;

/**
 * Opens the store that several replicas share: records in a Redis of version 7 with an append-only file. Every commit is one script
 * there. What all replicas commit comes back by a feed, and only from there into the mirror that reads are answered from; a
 * call settles when the mirror has what its answer is about.
 *
 * When the server is out of reach, calls reject at once and reads show what was known. It is sought again without end. A
 * server that was started anew or replaced ends the lease, and is read anew where it has lost what is known here.
 *
 * Rejects with `FR-STORE` when it cannot be reached in time or cannot be used, `FR-STORE-NEWER` or `FR-STORE-SEALED`.
 */
export async function openRedisStore(options: RedisStoreOptions): Promise<Store> {
  const store = new RedisStore(options);
  try {
    await deadline(openMs, "opening the store in Redis", store.opened()).catch((caught: unknown) => {
      const view = store.ready();
      throw view.current ? caught : view.error;
    });
    return store;
  } catch (caught) {
    await store.stop();
    throw caught;
  }
}

class RedisStore implements Store {
  private readonly mirror: Mirror;
  private readonly watchers: Watchers;
  private readonly follower: Follower;
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly barriers = new WeakMap<Session, Barrier>();
  /** Ids of commits begin with it: no other store has it. */
  private readonly writer = randomUUID();
  private commits = 0;
  private stopping: Promise<void> | undefined;

  constructor(private readonly options: RedisStoreOptions) {
    const {
      eventRetention = defaultEventRetention,
      onFault = warnOfFault,
      minReplicas = 0,
      server,
      prefix,
      keyId,
      clock,
      random,
    } = options;
    this.mirror = new Mirror(emptyContents, eventRetention);
    this.watchers = new Watchers(onFault);
    this.follower = new Follower({
      server,
      prefix,
      keyId,
      minReplicas,
      clock,
      random,
      eventRetention,
      onFault,
      mirror: this.mirror,
      nextCommitId: () => this.nextCommitId(),
      onStep: (step) => this.watchers.tell(step),
    });
  }

  opened(): Promise<void> {
    return this.follower.opened;
  }

  get<K extends Kind>(kind: K, key: string): Stored<K> | undefined {
    return this.mirror.get(kind, key);
  }

  list<K extends Kind>(kind: K): readonly Stored<K>[] {
    return this.mirror.list(kind);
  }

  count(kind: Kind): number {
    return this.mirror.count(kind);
  }

  events(query: EventQuery): readonly Event[] {
    return this.mirror.events(query);
  }

  watch(listener: (change: Change) => void): () => void {
    return this.watchers.add(listener);
  }

  ready(): View {
    return this.follower.view;
  }

  async commit(batch: Batch): Promise<CommitResult> {
    const checked = checkBatch(batch);
    return this.begin("a commit", async (session) => {
      const id = this.nextCommitId();
      this.follower.expect(id, checked);
      try {
        const { eventRetention = defaultEventRetention } = this.options;
        const args = [session.run, checked.epoch ?? "", id, batchText(checked), String(eventRetention), String(feedLength)];
        const [outcome, revision, places] = await session.script(commitScript, ...args);
        // Who met a conflict is to see what it was with.
        await this.follower.reached(Number(revision));
        return commitResult(String(outcome), Number(revision), places, checked);
      } finally {
        this.follower.forget(id);
      }
    });
  }

  async acquireLease(holder: string, ttlMs: number): Promise<Lease | undefined> {
    checkClaim(holder, ttlMs);
    // The server's time to live begins later: its lease always outlasts what is believed here.
    const expiresAt = this.options.clock.now() + ttlMs;
    const { session, answer } = await this.begin("taking the lease", async (session) => {
      const answer = await session.script(claimScript, session.run, holder, String(ttlMs), this.options.random.hex(8));
      // Who begins to lead is to know all that was written by whoever led before.
      if (answer[0] === "taken") await this.follower.reached(Number(answer[2]));
      return { session, answer };
    });
    const [outcome, epoch] = answer;
    if (outcome === "other") return undefined;
    // A lease that the next master may not know of is none. The server keeps it for its holder all the same: that one may ask again.
    await this.barrier(session).pass();
    return { holder, epoch: String(epoch), expiresAt };
  }

  async releaseLease(holder: string): Promise<void> {
    await this.begin("releasing the lease", (session) => session.script(releaseScript, session.run, holder));
  }

  async leaveNote(from: string, text: string, ttlMs: number): Promise<void> {
    await this.begin("leaving a note", (session) => session.script(leaveNoteScript, session.run, from, text, String(ttlMs)));
  }

  async notes(): Promise<ReadonlyMap<string, string>> {
    const [, list] = await this.begin("reading notes", (session) => session.script(notesScript, session.run));
    return fieldsOf(list as readonly string[]);
  }

  async settled(): Promise<void> {
    await this.barrier(this.session("waiting for replicas")).pass();
  }

  stop(): Promise<void> {
    this.stopping ??= this.finish();
    return this.stopping;
  }

  private async finish(): Promise<void> {
    await Promise.allSettled(this.underWay);
    await this.follower.stop();
    this.watchers.clear();
  }

  private begin<T>(attempted: string, work: (session: Session) => Promise<T>): Promise<T> {
    const session = this.session(attempted);
    if (this.underWay.size >= mostUnderWay) {
      const why = `${mostUnderWay} others wait for Redis; try again later`;
      throw new FireRunnerError("FR-STORE", `${attempted} was refused: ${why}`, { retryable: true });
    }
    const call = session.call(attempted, () => work(session));
    this.underWay.add(call);
    const done = () => void this.underWay.delete(call);
    call.then(done, done);
    return call;
  }

  private session(attempted: string): Session {
    if (this.stopping !== undefined) throw new FireRunnerError("FR-STORE", `${attempted} was refused: the store is stopped`);
    const { session, view } = this.follower;
    if (session !== undefined) return session;
    const why = view.current ? "Redis is being connected to" : view.error.message;
    throw new FireRunnerError("FR-STORE", `${attempted} was refused: the store is out of reach: ${why}`, { retryable: true });
  }

  private barrier(session: Session): Barrier {
    const known = this.barriers.get(session) ?? new Barrier(() => session.replicated());
    this.barriers.set(session, known);
    return known;
  }

  private nextCommitId(): string {
    this.commits += 1;
    return `${this.writer}/${this.commits}`;
  }
}

function commitResult(outcome: string, revision: number, places: unknown, { writes }: Batch): CommitResult {
  if (outcome === "deposed") return { outcome };
  if (outcome !== "conflict") return { outcome: "committed", revision };
  const conflicts = (places as readonly number[]).flatMap((place) => writes[place] ?? []);
  return { outcome, conflicts: conflicts.map(({ kind, key }) => ({ kind, key })) };
}
