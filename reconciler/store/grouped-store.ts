import type { Clock, Random } from "../model/clock.js";
import { FireRunnerError } from "../model/errors.js";
import type { Event } from "../model/event.js";
import type { Kind } from "../model/records.js";
import { checkBatch } from "./checked-batch.js";
import { checkClaim, claim, release } from "./leadership.js";
import type { Mirror, Step } from "./mirror.js";
import type { Batch, Change, CommitResult, EventQuery, Lease, Store, Stored, View } from "./port.js";
import { Watchers } from "./watchers.js";

/** What one group of commits changed, and where the counters stand after it. */
export interface JournalEntry {
  readonly steps: readonly Step[];
  readonly revision: number;
  readonly lastSeq: number;
  readonly takeovers: number;
  /** Events up to this number are to be forgotten. */
  readonly forgetEventsTo: number | undefined;
}

/** Makes groups durable. `write` returns when the whole entry is safe, or throws and has kept nothing of it. */
export interface Journal {
  write(entry: JournalEntry): void;
  close(): void;
}

export interface GroupedStoreParts {
  readonly mirror: Mirror;
  readonly journal: Journal;
  readonly clock: Pick<Clock, "now">;
  readonly random: Random;
  /** Runs the next group soon: when everything that arrives now has arrived. */
  readonly schedule: (run: () => void) => void;
  /** Hears of watchers that threw. */
  readonly onFault: (error: FireRunnerError) => void;
}

/** So many commits at most are one group: the event loop is not held up for long. */
const mostInGroup = 500;
/** More waiting commits are refused: whoever writes faster than the disk is told so. */
const mostWaiting = 100_000;

interface Waiting {
  /** Applies what is asked for to the mirror; the answer is kept until the group is durable. */
  readonly judge: (steps: Step[]) => () => void;
  readonly reject: (error: FireRunnerError) => void;
}

/**
 * A store over a mirror and a journal. What arrives together is made durable together: each is judged on its own, after
 * those before it, applied to the mirror, and the group is written at once. Judging, writing, telling watchers and
 * answering is one synchronous step, so nobody ever reads what is not durable; what could not be written is taken back.
 */
export class GroupedStore implements Store {
  private readonly waiting: Waiting[] = [];
  private readonly watchers: Watchers;
  private readonly noted = new Map<string, { readonly text: string; readonly expiresAt: number }>();
  private scheduled = false;
  private stopping: Promise<void> | undefined;

  constructor(private readonly parts: GroupedStoreParts) {
    this.watchers = new Watchers(parts.onFault);
  }

  get<K extends Kind>(kind: K, key: string): Stored<K> | undefined {
    return this.parts.mirror.get(kind, key);
  }

  list<K extends Kind>(kind: K): readonly Stored<K>[] {
    return this.parts.mirror.list(kind);
  }

  count(kind: Kind): number {
    return this.parts.mirror.count(kind);
  }

  events(query: EventQuery): readonly Event[] {
    return this.parts.mirror.events(query);
  }

  async commit(batch: Batch): Promise<CommitResult> {
    const checked = checkBatch(batch);
    return this.enqueue("a commit", (steps) => {
      const { result, step } = this.parts.mirror.apply(checked);
      if (step !== undefined) steps.push(step);
      return result;
    });
  }

  watch(listener: (change: Change) => void): () => void {
    return this.watchers.add(listener);
  }

  async acquireLease(holder: string, ttlMs: number): Promise<Lease | undefined> {
    checkClaim(holder, ttlMs);
    return this.enqueue("taking the lease", () => {
      const { mirror, clock, random } = this.parts;
      const claimed = claim(mirror.leadership, holder, ttlMs, clock.now(), random);
      if (claimed !== undefined) mirror.leadership = claimed;
      return claimed?.lease;
    });
  }

  async releaseLease(holder: string): Promise<void> {
    return this.enqueue("releasing the lease", () => {
      this.parts.mirror.leadership = release(this.parts.mirror.leadership, holder);
    });
  }

  async leaveNote(from: string, text: string, ttlMs: number): Promise<void> {
    this.refuseWhenStopped("leaving a note");
    this.noted.set(from, { text, expiresAt: this.parts.clock.now() + ttlMs });
  }

  async notes(): Promise<ReadonlyMap<string, string>> {
    this.refuseWhenStopped("reading notes");
    const now = this.parts.clock.now();
    for (const [from, { expiresAt }] of this.noted) if (expiresAt <= now) this.noted.delete(from);
    return new Map([...this.noted].map(([from, { text }]) => [from, text]));
  }

  /** What is in this process is always current, and what settled is as safe as it gets. */
  ready(): View {
    return { current: true };
  }

  async settled(): Promise<void> {}

  stop(): Promise<void> {
    this.stopping ??= this.finish();
    return this.stopping;
  }

  private async finish(): Promise<void> {
    // A watcher may be the one who stops: the group that it is told of is finished first.
    await Promise.resolve();
    while (this.waiting.length > 0) this.runGroup();
    this.watchers.clear();
    this.parts.journal.close();
  }

  private enqueue<T>(attempted: string, judge: (steps: Step[]) => T): Promise<T> {
    this.refuseWhenStopped(attempted);
    if (this.waiting.length >= mostWaiting) {
      throw new FireRunnerError("FR-STORE", `${attempted} was refused: ${mostWaiting} others wait for the disk; try again later`, {
        retryable: true,
      });
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({
        judge: (steps) => {
          const answer = judge(steps);
          return () => resolve(answer);
        },
        reject,
      });
      this.scheduleGroup();
    });
  }

  private refuseWhenStopped(attempted: string): void {
    if (this.stopping !== undefined) throw new FireRunnerError("FR-STORE", `${attempted} was refused: the store is stopped`);
  }

  private scheduleGroup(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.parts.schedule(() => {
      this.scheduled = false;
      this.runGroup();
      if (this.waiting.length > 0) this.scheduleGroup();
    });
  }

  private runGroup(): void {
    const { mirror } = this.parts;
    const group = this.waiting.splice(0, mostInGroup);
    const steps: Step[] = [];
    const before = mirror.leadership;
    let answers: readonly (() => void)[];
    try {
      answers = group.map(({ judge }) => judge(steps));
      this.write(steps, before.takeovers);
    } catch (caught) {
      // Conflicts in the group may have been with what is taken back: nobody in it can be answered.
      mirror.takeBack(steps);
      mirror.leadership = before;
      const error = FireRunnerError.from(caught, "FR-STORE", `writing ${group.length} commits`);
      for (const { reject } of group) reject(error);
      return;
    }
    for (const step of steps) this.watchers.tell(step);
    for (const answer of answers) answer();
  }

  private write(steps: readonly Step[], takeoversBefore: number): void {
    const { mirror, journal } = this.parts;
    const { takeovers } = mirror.leadership;
    if (steps.length === 0 && takeovers === takeoversBefore) return;
    const forgetEventsTo = mirror.excessEvents();
    journal.write({ steps, revision: mirror.revision, lastSeq: mirror.lastSeq, takeovers, forgetEventsTo });
    if (forgetEventsTo !== undefined) mirror.forgetEvents(forgetEventsTo);
  }
}
