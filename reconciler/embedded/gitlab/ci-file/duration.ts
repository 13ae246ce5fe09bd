const secondsIn: ReadonlyMap<string, number> = new Map(
  [
    { seconds: 1, names: ["s", "sec", "secs", "second", "seconds"] },
    { seconds: 60, names: ["m", "min", "mins", "minute", "minutes"] },
    { seconds: 3600, names: ["h", "hr", "hrs", "hour", "hours"] },
    { seconds: 86_400, names: ["d", "day", "days"] },
    { seconds: 604_800, names: ["w", "week", "weeks"] },
  ].flatMap(({ seconds, names }) => names.map((name) => [name, seconds] as const)),
);

/** Whole seconds of a duration as people write it: `1h 30m`, `90 minutes`, `1 hour and 30 minutes`, `1:30:00`, `90` (seconds). */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim().toLowerCase();
  if (/^\d{1,9}$/.test(trimmed)) return Number(trimmed);
  if (/^\d{1,6}(:[0-5]?\d){1,2}$/.test(trimmed)) return trimmed.split(":").reduce((total, part) => total * 60 + Number(part), 0);
  const part = /^(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]+)(?:(?:\s*,\s*and\s+|\s*,\s*|\s+and\s+|\s*)(?=\d)|$)/;
  let rest = trimmed;
  let total = 0;
  while (rest !== "") {
    const [whole, amount, unit] = part.exec(rest) ?? [];
    const seconds = secondsIn.get(unit ?? "");
    if (whole === undefined || seconds === undefined) return undefined;
    total += Number(amount) * seconds;
    rest = rest.slice(whole.length);
  }
  return trimmed === "" ? undefined : Math.round(total);
}
