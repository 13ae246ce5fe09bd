import { UsageError } from "./usage-error.js";

const unitsS = { d: 86_400, h: 3600, m: 60, s: 1 } as const;

/** The seconds of `90s`, `10m`, `2h` or `1h30m`; `what` names the option that a `UsageError` is about. */
export function parseDuration(text: string, what: string): number {
  const [, ...parts] = /^(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?$/.exec(text) ?? [];
  if (parts.every((part) => part === undefined)) {
    throw new UsageError(`${what}: "${text}" is refused: must be a duration such as 90s, 10m or 1h30m`);
  }
  return Object.values(unitsS).reduce((total, unitS, index) => total + Number(parts[index] ?? 0) * unitS, 0);
}
