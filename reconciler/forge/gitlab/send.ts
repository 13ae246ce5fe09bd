import type { Clock, Random } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import { type CallBounds, pause } from "./calls.js";
import type { CredentialLanes } from "./credential-lanes.js";
import { AnswerTooLarge, type ExchangeBounds, type HttpAnswer, type HttpRequest, NoAnswer, type Transport } from "./exchange.js";
import { type Attempt, attempted, refusedError, unansweredError } from "./failure.js";
import type { ForgeLimits } from "./limits.js";
import { wishedDelayMs } from "./wish.js";

export interface Sender {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly lanes: CredentialLanes;
  readonly limits: Pick<ForgeLimits, "tries" | "baseMs" | "capMs">;
  readonly resolveSecret: (ref: string) => string | Promise<string>;
}

/** The bounds of every exchange, whatever its call allows. */
export type AnswerBounds = Omit<ExchangeBounds, "signal">;

/** Requests that may be repeated although the first may have been seen: twice has the effect of once. */
const idempotent: ReadonlySet<string> = new Set(["GET", "PUT", "DELETE"]);
const passing: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/**
 * Sends a request until it is answered or its tries or its call's time are used up; a successful answer is returned,
 * everything else is thrown as a `FireRunnerError`. A POST is repeated only when GitLab cannot have acted on it.
 */
export async function send(
  sender: Sender,
  attempt: Attempt,
  request: HttpRequest,
  answerBounds: AnswerBounds,
  bounds: CallBounds,
): Promise<HttpAnswer> {
  let token = await tokenOf(sender, attempt);
  let renewed = false;
  for (let tried = 1; ; tried += 1) {
    const outcome = await once(sender, attempt, request, token, answerBounds, bounds);
    if (outcome instanceof NoAnswer) {
      const again = idempotent.has(request.method) || !outcome.sent;
      const delayMs = jitter(sender, tried);
      if (!again || tried >= sender.limits.tries || delayMs >= bounds.remainingMs()) throw unansweredError(attempt, outcome);
      await pause(delayMs, sender.clock, bounds.signal);
      continue;
    }
    if (outcome.status >= 200 && outcome.status < 300) return outcome;
    if (outcome.status === 401 && !renewed) {
      // The token may have been exchanged between reading it and using it.
      const newer = await tokenOf(sender, attempt);
      if (newer !== token) {
        token = newer;
        renewed = true;
        continue;
      }
    }
    const wishMs = wishedDelayMs(outcome, sender.clock.now());
    const error = refusedError(attempt, outcome, hiding(token), wishMs);
    const again = outcome.status === 429 || (idempotent.has(request.method) && passing.has(outcome.status));
    const delayMs = (wishMs ?? 0) + jitter(sender, tried);
    if (!again || tried >= sender.limits.tries || delayMs >= bounds.remainingMs()) throw error;
    await pause(delayMs, sender.clock, bounds.signal);
  }
}

async function once(
  { lanes, transport }: Sender,
  attempt: Attempt,
  request: HttpRequest,
  token: string,
  answerBounds: AnswerBounds,
  bounds: CallBounds,
): Promise<HttpAnswer | NoAnswer> {
  return lanes.run(attempt.connection, bounds, async () => {
    try {
      const sent = { ...request, headers: { ...request.headers, "private-token": token } };
      return await transport.exchange(sent, { ...answerBounds, signal: bounds.signal });
    } catch (caught) {
      if (caught instanceof NoAnswer) return caught;
      if (caught instanceof AnswerTooLarge) throw unansweredError(attempt, caught);
      throw caught;
    }
  });
}

/** Full jitter: many callers that failed together do not come back together. */
function jitter(sender: Sender, tried: number): number {
  const { baseMs, capMs } = sender.limits;
  return Math.ceil(sender.random.next() * Math.min(capMs, baseMs * 2 ** (tried - 1)));
}

async function tokenOf(sender: Sender, attempt: Attempt): Promise<string> {
  const token = (await sender.resolveSecret(attempt.connection.token)).trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new FireRunnerError(
    "FR-CONFIG",
    `${attempted(attempt)}: the token ${attempt.connection.token} is empty or has characters that a header cannot carry`,
  );
}

const hiding = (token: string) => (text: string) =>
  text.replaceAll(token, "[redacted]").replace(/\bgl(?:rt|rtr|pat|cbt|dt|ptt|soat|ft|oas|agent|imt)-[\w.-]+/g, "[redacted]");
