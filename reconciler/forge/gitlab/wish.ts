/** What an answer's headers say, by lower-case name. */
export type AnswerHeaders = Readonly<Record<string, string>>;

/**
 * How long the other side asks to be left alone, in milliseconds from `now`, or undefined when it names no time. GitLab
 * tells with every answer when its count of requests begins anew: that is a wish only when the count was exceeded.
 */
export function wishedDelayMs(answer: { readonly status: number; readonly headers: AnswerHeaders }, now: number): number | undefined {
  const wished = retryAfter(answer.headers["retry-after"], now);
  if (wished !== undefined || answer.status !== 429) return wished;
  return rateLimitReset(answer.headers["ratelimit-reset"], now);
}

/** Seconds or an HTTP date. */
function retryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\s*\d{1,10}\s*$/.test(text)) return Number(text) * 1000;
  const at = /^[A-Z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** How long until a count of requests begins anew, in milliseconds: GitLab writes seconds since the epoch, the standard's draft seconds from now. */
export function rateLimitReset(text: string | undefined, now: number): number | undefined {
  if (text === undefined || !/^\s*\d{1,11}\s*$/.test(text)) return undefined;
  const seconds = Number(text);
  return seconds > 1_000_000_000 ? Math.max(0, seconds * 1000 - now) : seconds * 1000;
}
