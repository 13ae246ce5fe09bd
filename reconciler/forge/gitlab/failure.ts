import type { Connection } from "../../model/connection.js";
import { FireRunnerError } from "../../model/errors.js";
import { type AnswerTooLarge, type HttpAnswer, NoAnswer } from "./exchange.js";

/** What was attempted, in words for people, and what the token must be allowed to do for it. */
export interface Attempt {
  readonly connection: Connection;
  readonly what: string;
  readonly needs: string;
}

const maxText = 400;

/** How an attempt begins in every message. */
export const attempted = (attempt: Attempt): string =>
  `connection "${attempt.connection.name}" (${attempt.connection.url}): ${attempt.what}`;

/** The error that an unsuccessful answer means. `hide` takes secrets out of the forge's own words. */
export function refusedError(
  attempt: Attempt,
  answer: HttpAnswer,
  hide: (text: string) => string,
  retryAfterMs: number | undefined,
): FireRunnerError {
  const { status } = answer;
  const said = hide(textOf(answer));
  const message = `${attempted(attempt)}: GitLab answered ${status}${said === "" ? "" : `: ${said}`}`;
  const details = { connection: attempt.connection.name, status };
  const after = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 401) {
    return new FireRunnerError("FR-FORGE-UNAUTHORIZED", `${message}; the token ${attempt.connection.token} is wrong, expired or revoked`, {
      details,
    });
  }
  if (status === 403) {
    const tokenScope = said.includes("insufficient_scope");
    return new FireRunnerError("FR-FORGE-UNAUTHORIZED", `${message}; the token ${attempt.connection.token} needs ${attempt.needs}`, {
      details: { ...details, tokenScope },
    });
  }
  if (status === 404 && saysJson(answer))
    return new FireRunnerError("FR-FORGE-NOT-FOUND", `${message}; it does not exist, or the token may not see it`, { details });
  if (status === 429) return new FireRunnerError("FR-FORGE-RATE-LIMITED", message, { retryable: true, ...after, details });
  if (status >= 500) return new FireRunnerError("FR-FORGE-UNREACHABLE", message, { retryable: true, ...after, details });
  return new FireRunnerError("FR-FORGE-REJECTED", `${message}${advice(answer, hide)}`, { details });
}

/** The error that no answer, or one that cannot be read, means. */
export function unansweredError(attempt: Attempt, caught: NoAnswer | AnswerTooLarge): FireRunnerError {
  const message = `${attempted(attempt)}: ${caught.message}`;
  if (caught instanceof NoAnswer) {
    const details = { connection: attempt.connection.name, sent: caught.sent };
    return new FireRunnerError("FR-FORGE-UNREACHABLE", message, { retryable: true, details });
  }
  return new FireRunnerError("FR-FORGE-REJECTED", message, { details: { connection: attempt.connection.name } });
}

/** The error that a successful answer of the wrong form means; it tells where, never what stood there. */
export function unreadableError(attempt: Attempt, what: string): FireRunnerError {
  return new FireRunnerError(
    "FR-FORGE-REJECTED",
    `${attempted(attempt)}: the answer is not GitLab's: ${what}; check that the connection's url leads to GitLab`,
    { details: { connection: attempt.connection.name } },
  );
}

export const saysJson = (answer: HttpAnswer): boolean => /^application\/(\w+\+)?json\b/i.test(answer.headers["content-type"] ?? "");

/** GitLab's own words: `message` (a text, or complaints by field), `error` and `error_description`. */
function textOf(answer: HttpAnswer): string {
  if (!saysJson(answer)) return "";
  const body = parsed(answer.text);
  if (typeof body !== "object" || body === null) return "";
  const { message, error, error_description: description } = body as Record<string, unknown>;
  const parts = [message, error, description].filter((part) => part !== undefined && part !== null);
  return parts
    .map((part) => (typeof part === "string" ? part : JSON.stringify(part)))
    .join(": ")
    .slice(0, maxText);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function advice(answer: HttpAnswer, hide: (text: string) => string): string {
  if (answer.status >= 300 && answer.status < 400) {
    return ` and points to ${hide(answer.headers.location ?? "nowhere").slice(0, maxText)}; the connection's url must be GitLab's own address`;
  }
  return saysJson(answer) ? "" : "; the answer is not GitLab's: check that the connection's url leads to GitLab";
}
