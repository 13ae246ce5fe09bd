/** A time as GitLab's REST API writes it, or null. `at` is in milliseconds since the epoch. */
export const isoTime = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString());

/** A time as GitLab's webhooks write it: `2026-01-02 03:04:05 UTC`. */
export const hookTime = (at: number | undefined): string | null =>
  at === undefined ? null : `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** Seconds between two times, or null while one of them is open. */
export const secondsBetween = (from: number | undefined, until: number | undefined): number | null =>
  from === undefined || until === undefined ? null : Math.max(0, (until - from) / 1000);
