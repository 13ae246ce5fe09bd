import type { Clock, Random } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import type { Mirror, Step } from "../mirror.js";
import type { Batch, View } from "../port.js";
import { type FeedEntry, readBatchText } from "./batch-text.js";
import { findMaster } from "./find-master.js";
import { type OpenSessionOptions, openSession } from "./open-session.js";
import { reconnectDelayMs } from "./reconnect-delay.js";
import { shown } from "./redis-server.js";
import type { Session } from "./session.js";
import { type SentinelWatch, watchSentinels } from "./watch-sentinels.js";

export interface FollowerParts extends Pick<OpenSessionOptions, "server" | "prefix" | "keyId" | "minReplicas"> {
  readonly mirror: Mirror;
  readonly clock: Pick<Clock, "now">;
  readonly random: Random;
  readonly eventRetention: number;
  readonly nextCommitId: () => string;
  /** Hears of everything that changed the mirror, in order. */
  readonly onStep: (step: Step) => void;
  /** Hears once of each time in which the store is out of reach. */
  readonly onFault: (error: FireRunnerError) => void;
}

/** How long the feed is waited at before it is checked that nothing was missed, in ms. */
const feedWaitMs = 1_000;

interface Reached {
  readonly revision: number;
  readonly resolve: () => void;
}

/**
 * Keeps a mirror the same as a store in Redis: connects to the master, again and again; takes every commit from the feed in its
 * order; and reads everything anew when the feed no longer continues what is known here. Every commit has an id and
 * names the one before it, so that no gap and no other history goes unnoticed.
 */
export class Follower {
  /** Settles when the store was reached for the first time; rejects when another try would not help. */
  readonly opened: Promise<void>;
  private current: View;
  private open: Session | undefined;
  private isLevel = false;
  /** The newest commit that the mirror has; none before everything was read for the first time. */
  private commit: string | undefined;
  private readonly own = new Map<string, Batch>();
  private readonly waiting: Reached[] = [];
  private readonly running: Promise<void>;
  private isStopping = false;
  private endPause: () => void = () => {};
  private readonly watch: SentinelWatch | undefined;
  /** Which Sentinel has told of another master since the last try began. */
  private told: number | undefined;
  private giveUpTry: (error: FireRunnerError) => void = () => {};

  constructor(private readonly parts: FollowerParts) {
    const error = new FireRunnerError("FR-STORE", "the store in Redis was not reached yet", { retryable: true });
    this.current = { current: false, since: parts.clock.now(), error };
    let settle: { readonly resolve: () => void; readonly reject: (error: FireRunnerError) => void } = {
      resolve: () => {},
      reject: () => {},
    };
    this.opened = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.opened.catch(() => {});
    const { server, random } = parts;
    this.watch = server.kind === "sentinel" ? watchSentinels(server, random, (sentinel) => this.onNews(sentinel)) : undefined;
    this.running = this.keepUp(settle.resolve, settle.reject);
  }

  get view(): View {
    return this.current;
  }

  /** The session that may be used: its server is the master, and the mirror has caught up with it. */
  get session(): Session | undefined {
    return this.isLevel ? this.open : undefined;
  }

  /** Says what a commit is that is being sent: it need not be read again from the feed. */
  expect(id: string, batch: Batch): void {
    this.own.set(id, batch);
  }

  forget(id: string): void {
    this.own.delete(id);
  }

  /** Settles when the mirror has a revision; never when the session ends before. */
  reached(revision: number): Promise<void> {
    if (this.parts.mirror.revision >= revision) return Promise.resolve();
    return new Promise((resolve) => {
      this.waiting.push({ revision, resolve });
    });
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    this.open?.end(new FireRunnerError("FR-STORE", "the store is stopped"));
    this.endPause();
    await Promise.all([this.watch?.stop(), this.running]);
  }

  /** Another server is the master: it is gone to at once, wherever this is. */
  private onNews(sentinel: number): void {
    this.told = sentinel;
    this.giveUpTry(anotherMaster("while it was connected to"));
    this.endPause();
    if (this.open !== undefined) void this.leaveUnlessMaster(this.open, sentinel);
  }

  /** The master before may still answer: what it takes now will be lost. */
  private async leaveUnlessMaster(session: Session, sentinel: number): Promise<void> {
    const master = await findMaster(this.parts.server, sentinel).catch(() => undefined);
    if (master !== undefined && shown(master) !== session.where) session.end(anotherMaster(`in the place of ${session.where}`));
  }

  private async keepUp(onOpen: () => void, onRefused: (error: FireRunnerError) => void): Promise<void> {
    let isOpened = false;
    for (let failures = 0; !this.isStopping; failures++) {
      try {
        await this.connect(failures);
        isOpened = true;
        failures = 0;
        onOpen();
        await this.follow();
      } catch (caught) {
        const error = FireRunnerError.from(caught, "FR-STORE", "following the store in Redis");
        this.lose(error);
        if (!isOpened && !error.retryable) return onRefused(error);
      }
      if (this.told === undefined) await this.pause(reconnectDelayMs(failures, this.parts.random.next()));
    }
  }

  private async connect(failures: number): Promise<void> {
    const { mirror, nextCommitId, server, prefix, keyId, minReplicas } = this.parts;
    const known = { revision: mirror.revision, seq: mirror.lastSeq };
    const firstSentinel = this.told ?? failures;
    this.told = undefined;
    const options = { server, prefix, keyId, minReplicas, known, commitId: nextCommitId(), firstSentinel };
    const session = await this.unlessTold(openSession(options));
    this.open = session;
    if (this.isStopping) throw new FireRunnerError("FR-STORE", "the store is stopped");
    // Another server may have all that is known here; webhooks are refused until that is certain.
    if (this.commit === undefined) await this.readAnew(session);
    else await this.catchUp(session);
    this.isLevel = true;
    this.current = { current: true };
  }

  /** A try to reach one that is the master no more may take long, and is given up. */
  private async unlessTold(opening: Promise<Session>): Promise<Session> {
    const givenUp = new Promise<never>((_, reject) => {
      this.giveUpTry = reject;
    });
    try {
      return await Promise.race([opening, givenUp]);
    } catch (caught) {
      const error = FireRunnerError.from(caught, "FR-STORE", "connecting to Redis");
      opening.then((session) => session.end(error)).catch(() => {});
      throw error;
    }
  }

  private async follow(): Promise<void> {
    for (let session = this.open; session !== undefined; ) {
      const entries = await session.feedAfter(this.parts.mirror.revision, feedWaitMs);
      if (entries.length === 0) await this.catchUp(session);
      else if (!this.takeAll(entries)) await this.readAnew(session);
    }
  }

  /**
   * Makes sure that nothing is missing of what is stored at this moment, however much is written meanwhile: what the feed still
   * holds is taken, and what it cannot tell any more is read.
   */
  private async catchUp(session: Session): Promise<void> {
    const { mirror } = this.parts;
    const head = await session.head();
    while (this.commit !== head.commit) {
      const entries = await session.feedAfter(mirror.revision, 0);
      if (entries.length === 0 || !this.takeAll(entries)) return this.readAnew(session);
      if (mirror.revision >= head.revision) return;
    }
  }

  private async readAnew(session: Session): Promise<void> {
    const { mirror, eventRetention, onStep } = this.parts;
    const { contents, commit } = await session.readAll(eventRetention);
    this.commit = commit;
    const step = mirror.adopt(contents);
    if (step.replaced.length > 0 || step.events.length > 0) onStep(step);
    this.release();
  }

  /** Takes entries of the feed as far as each continues what is known; false when one does not. */
  private takeAll(entries: readonly FeedEntry[]): boolean {
    return entries.every((entry) => this.take(entry));
  }

  private take(entry: FeedEntry): boolean {
    const { mirror, onStep } = this.parts;
    if (entry.before !== this.commit || entry.seq !== mirror.lastSeq) return false;
    if (entry.leapTo === undefined) {
      const { writes, events = [] } = this.own.get(entry.commit) ?? readBatchText(entry);
      const step = mirror.follow(entry.revision, writes, events);
      // Redis tells only of commits that changed something there.
      if (step === undefined) return false;
      this.commit = entry.commit;
      const forgettable = mirror.excessEvents();
      if (forgettable !== undefined) mirror.forgetEvents(forgettable);
      onStep(step);
    } else {
      mirror.leap(entry.revision, entry.leapTo);
      this.commit = entry.commit;
    }
    this.release();
    return true;
  }

  private release(): void {
    const { revision } = this.parts.mirror;
    // Redis answers in the order of its revisions, and so they wait.
    const still = this.waiting.findIndex((waiting) => waiting.revision > revision);
    for (const { resolve } of this.waiting.splice(0, still < 0 ? this.waiting.length : still)) resolve();
  }

  private lose(error: FireRunnerError): void {
    this.open?.end(error);
    this.open = undefined;
    this.isLevel = false;
    // Whoever waits is rejected by the session.
    this.waiting.length = 0;
    this.own.clear();
    if (this.isStopping) return;
    const { clock, onFault } = this.parts;
    if (this.current.current) onFault(error);
    this.current = { current: false, since: this.current.current ? clock.now() : this.current.since, error };
  }

  private pause(ms: number): Promise<void> {
    if (this.isStopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const anotherMaster = (how: string): FireRunnerError =>
  new FireRunnerError("FR-STORE", `a Sentinel tells of another master of Redis ${how}`, { retryable: true });
