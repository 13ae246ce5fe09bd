import { type AnswerHeaders, rateLimitReset, wishedDelayMs } from "./wish.js";

/** `hot` is what a waiting job or a credential waits for; `background` is what can come later: polls, sweeps, checks. */
export type Urgency = "hot" | "background";

/** The part of a budget that background requests leave alone. */
const reserve = 0.2;
const minuteS = 60;
/** How long a forge that says "too many" and no time is left alone, the first time and at most; the longest wish that is heeded. */
const firstStopMs = 1_000;
const longestUnwishedMs = 60_000;
const longestStopMs = 3_600_000;
/** Background requests come back up to so long after the others. */
const comeBackMs = 10_000;
/** GitLab counts requests under a few names; more of them at one time are not remembered. */
const maxNames = 16;

/** What answers said about one of GitLab's counts. */
interface Told {
  readonly limit: number;
  remaining: number;
  readonly resetAt: number;
}

/**
 * How many requests one credential may still make: as many in any 60 s as were declared, otherwise what GitLab's answers
 * say, and none at all while GitLab has asked to be left alone. Times are milliseconds since the epoch.
 */
export class Budget {
  /** Requests by the second in which they were sent, oldest first. */
  private readonly sent = new Map<number, number>();
  private readonly told = new Map<string, Told>();
  private stoppedUntil = 0;
  private backgroundFrom = 0;
  private stopsInARow = 0;

  constructor(private readonly random: () => number) {}

  /** How long a request has to wait behind `ahead` others; 0 when it may be sent now. `declared` is a number of requests a minute. */
  waitMs(urgency: Urgency, declared: number | undefined, ahead: number, now: number): number {
    this.forget(now);
    const stopped = Math.max(0, (urgency === "hot" ? this.stoppedUntil : this.backgroundFrom) - now);
    return Math.max(
      stopped,
      declared === undefined ? this.waitAsTold(urgency, ahead, now) : this.waitAsDeclared(urgency, declared, ahead, now),
    );
  }

  /** Notes that a request is sent. */
  spend(now: number): void {
    this.forget(now);
    const second = Math.floor(now / 1000);
    this.sent.set(second, (this.sent.get(second) ?? 0) + 1);
    for (const told of this.told.values()) told.remaining -= 1;
  }

  /** Notes what an answer says of how many requests are left, and for how long to stop after "too many". */
  heed(answer: { readonly status: number; readonly headers: AnswerHeaders }, now: number): void {
    this.noteTold(answer.headers, now);
    if (answer.status !== 429) {
      this.stopsInARow = 0;
      return;
    }
    const unwished = Math.min(longestUnwishedMs, firstStopMs * 2 ** Math.min(this.stopsInARow, 10));
    const stopMs = Math.min(longestStopMs, wishedDelayMs(answer, now) ?? unwished);
    this.stopsInARow += 1;
    this.stoppedUntil = Math.max(this.stoppedUntil, now + stopMs);
    this.backgroundFrom = Math.max(this.backgroundFrom, this.stoppedUntil + Math.ceil(this.random() * Math.min(comeBackMs, stopMs)));
  }

  /** How many requests are left at this moment, where that is known. */
  left(declared: number | undefined, now: number): number | undefined {
    if (declared !== undefined) return Math.max(0, declared - this.used(now));
    this.forget(now);
    const left = [...this.told.values()].map(({ remaining }) => Math.max(0, remaining));
    return left.length === 0 ? undefined : Math.min(...left);
  }

  /** Whether nothing of it matters any more. */
  isIdle(now: number): boolean {
    return this.backgroundFrom <= now && this.used(now) === 0 && this.told.size === 0;
  }

  private waitAsDeclared(urgency: Urgency, declared: number, ahead: number, now: number): number {
    const usable = urgency === "hot" ? declared : Math.max(1, Math.floor(declared * (1 - reserve)));
    let missing = ahead + 1 - (usable - this.used(now));
    if (missing <= 0) return 0;
    for (const [second, count] of this.sent) {
      missing -= count;
      if (missing <= 0) return (second + minuteS + 1) * 1000 - now;
    }
    // Those ahead of it need more than a minute by themselves.
    return (minuteS + 1) * 1000 * Math.ceil((ahead + 1) / usable);
  }

  private waitAsTold(urgency: Urgency, ahead: number, now: number): number {
    let waitMs = 0;
    for (const { limit, remaining, resetAt } of this.told.values()) {
      const kept = urgency === "hot" ? 0 : Math.ceil(limit * reserve);
      if (resetAt > now && remaining - kept <= ahead) waitMs = Math.max(waitMs, resetAt - now);
    }
    return waitMs;
  }

  /** Answers overtake each other: of one count the smallest number that was told, and less what was sent since, is believed. */
  private noteTold(headers: AnswerHeaders, now: number): void {
    const limit = countOf(headers["ratelimit-limit"]);
    const remaining = countOf(headers["ratelimit-remaining"]);
    const resetMs = rateLimitReset(headers["ratelimit-reset"], now);
    if (limit === undefined || remaining === undefined || resetMs === undefined || resetMs === 0) return;
    const name = (headers["ratelimit-name"] ?? "").slice(0, 100);
    const resetAt = now + Math.min(resetMs, longestStopMs);
    const before = this.told.get(name);
    this.forget(now);
    // The same count, told a little later: relative times and clocks that differ move its end by some milliseconds.
    const isSame = before !== undefined && before.resetAt > now && Math.abs(before.resetAt - resetAt) < 2_000;
    if (!this.told.has(name) && this.told.size >= maxNames) return;
    this.told.set(name, { limit, remaining: isSame ? Math.min(before.remaining, remaining) : remaining, resetAt });
  }

  private used(now: number): number {
    this.forget(now);
    let used = 0;
    for (const count of this.sent.values()) used += count;
    return used;
  }

  private forget(now: number): void {
    const second = Math.floor(now / 1000);
    for (const at of this.sent.keys()) {
      // What was sent at a time that is yet to come was sent before the clock was set back.
      if (at < second - minuteS || at > second) this.sent.delete(at);
      else break;
    }
    for (const [name, { resetAt }] of this.told) if (resetAt <= now || resetAt - now > longestStopMs) this.told.delete(name);
    // Nor does a stop last for longer than any may.
    if (this.backgroundFrom - now > longestStopMs + comeBackMs) {
      this.stoppedUntil = 0;
      this.backgroundFrom = 0;
    }
  }
}

const countOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\s*\d{1,9}\s*$/.test(text) ? Number(text) : undefined;
