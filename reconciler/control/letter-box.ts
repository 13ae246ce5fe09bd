import { type DeadLetter, type FailureNote, failureNote, keptFailures } from "../model/dead-letter.js";
import type { FireRunnerError } from "../model/errors.js";
import type { NewEvent } from "../model/event.js";
import type { Effect } from "../plan/effect.js";
import { fateOf, letterKey, targetOf } from "../plan/letter.js";
import type { Store } from "../store/port.js";
import type { LeaderWrites } from "./leader-writes.js";

/** What was not tried again for so long is not wanted any more. */
const forgetAfterMs = 3_600_000;

/** An action that keeps failing. */
interface Failing {
  readonly attempts: number;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly failures: readonly FailureNote[];
}

/**
 * Follows actions that fail until their budget is spent, and writes them down as dead letters then. A failure counts only
 * while its host or forge answers others: what nobody gets an answer from is away, and nothing is wrong with the action.
 */
export class LetterBox {
  private readonly failing = new Map<string, Failing>();
  private readonly answeredAt = new Map<string, number>();

  constructor(
    private readonly store: Pick<Store, "get">,
    private readonly writes: Pick<LeaderWrites, "update">,
  ) {}

  /** The call was answered as it should be: its letter, if there is one, is settled. */
  async succeeded(effect: Effect, now: number): Promise<void> {
    this.answeredAt.set(sideOf(effect), now);
    const key = letterKey(effect);
    this.failing.delete(key);
    const letter = this.store.get("deadLetter", key)?.value;
    if (letter === undefined) return;
    const message = `${wordsFor(letter)} went well after ${letter.attempts} tries in vain`;
    await this.writes.update("deadLetter", key, (current) => (current === undefined ? undefined : null), [
      { at: now, type: "DeadLetterSettled", subject: { kind: "deadLetter", name: key }, message },
    ]);
  }

  /** The call failed; the letter is written when that was once too often, and goes on to be written while it fails. */
  async failed(effect: Effect, error: FireRunnerError, now: number): Promise<void> {
    const fate = fateOf(effect);
    if (fate.tried === "always" || isOurs(error)) return;
    const key = letterKey(effect);
    const failing = this.count(key, sideOf(effect), failureNote(now, error), now);
    const known = this.store.get("deadLetter", key)?.value;
    if (known === undefined && (failing.attempts < fate.attempts || failing.lastAt - failing.firstAt < fate.forMs)) return;
    const fresh: DeadLetter = {
      action: effect.kind,
      target: targetOf(effect),
      tried: fate.tried,
      attempts: failing.attempts,
      firstFailureAt: failing.firstAt,
      lastFailureAt: failing.lastAt,
      parkedAt: now,
      failures: [...failing.failures],
    };
    // From here on the letter goes on with its history; without it, everything begins anew.
    this.failing.delete(key);
    const event: NewEvent = { at: now, type: "DeadLetter", subject: { kind: "deadLetter", name: key }, message: parkedText(fresh) };
    await this.writes.update("deadLetter", key, (current) => failedAgain(current, fresh), known === undefined ? [event] : []);
  }

  private count(key: string, side: string, note: FailureNote, now: number): Failing {
    for (const [other, { lastAt }] of this.failing) if (Math.abs(now - lastAt) > forgetAfterMs) this.failing.delete(other);
    const before = this.failing.get(key);
    const isAway = before !== undefined && (this.answeredAt.get(side) ?? Number.NEGATIVE_INFINITY) < before.lastAt;
    const failing: Failing = {
      attempts: (before?.attempts ?? 0) + (isAway ? 0 : 1),
      firstAt: Math.min(before?.firstAt ?? now, now),
      lastAt: now,
      failures: [...(before?.failures ?? []), note].slice(-keptFailures),
    };
    this.failing.set(key, failing);
    return failing;
  }
}

/** A letter that is there already goes on; what was asked of it is done. */
function failedAgain(known: DeadLetter | undefined, fresh: DeadLetter): DeadLetter {
  if (known === undefined) return fresh;
  const { asked, ...rest } = known;
  return {
    ...rest,
    attempts: known.attempts + 1,
    lastFailureAt: fresh.lastFailureAt,
    failures: [...known.failures, ...fresh.failures.slice(-1)].slice(-keptFailures),
    ...(asked?.what === "drop" ? { asked } : {}),
  };
}

/** What says nothing about the action: the store was not written, or another replica leads. */
const isOurs = ({ code }: FireRunnerError): boolean => code === "FR-STORE" || code === "FR-NOT-LEADER" || code === "FR-CONFLICT";

const sideOf = (effect: Effect): string => ("host" in effect ? `host/${effect.host}` : `connection/${effect.connection}`);

function wordsFor({ action, target }: DeadLetter): string {
  const about = Object.entries(target).map(([field, value]) => `${field} ${value}`);
  return `${action} of ${about.join(", ")}`;
}

function parkedText(letter: DeadLetter): string {
  const { attempts, firstFailureAt, tried, failures } = letter;
  const last = failures.at(-1);
  const next = tried === "slowly" ? "it is tried every 10 minutes from here on" : "it is not tried any more until somebody asks for it";
  return `${wordsFor(letter)} failed ${attempts} times since ${new Date(firstFailureAt).toISOString()}, with ${last?.code}: ${last?.message}; ${next}`;
}
