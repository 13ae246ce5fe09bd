const firstMs = 50;
const longestMs = 250;

/** How long to wait before the next try, after so many failed ones, in ms: longer each time, up to a bound, and not at the same moment as others. */
export function reconnectDelayMs(failures: number, chance: number): number {
  const bound = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 10));
  return Math.round(bound * (0.5 + chance / 2));
}
