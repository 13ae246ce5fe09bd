/** Which values of one field of a cron expression are meant. */
interface Field {
  readonly values: ReadonlySet<number>;
  /** Whether it begins with `*`: then it does not restrict the days. */
  readonly star: boolean;
}

/** A cron expression of five fields that names the minutes in which it holds. */
export interface Period {
  readonly minute: Field;
  readonly hour: Field;
  readonly day: Field;
  readonly month: Field;
  readonly weekday: Field;
}

/** A minute as a clock on the wall and a calendar show it. Months from 1, weekdays from 0 for Sunday. */
export interface WallMinute {
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
  readonly month: number;
  readonly weekday: number;
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

interface FieldKind {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** What a name stands for; `end` tells that it ends a range. */
  readonly named?: (name: string, end: boolean) => number;
}

const kinds = {
  minute: { name: "minute", min: 0, max: 59 },
  hour: { name: "hour", min: 0, max: 23 },
  day: { name: "day of month", min: 1, max: 31 },
  month: { name: "month", min: 1, max: 12, named: (name) => months.indexOf(name) + 1 },
  // Sunday is 0 and 7, so that it begins a week (sun-tue) and ends one (sat-sun).
  weekday: { name: "day of week", min: 0, max: 7, named: (name, end) => (end && name === "sun" ? 7 : weekdays.indexOf(name)) },
} satisfies Record<keyof Period, FieldKind>;

/** Reads a period, or tells in words what of it is not understood. */
export function parsePeriod(text: string): Period | { readonly why: string } {
  const parts = text.trim().split(/\s+/);
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = parts;
  if (parts.length !== 5) return { why: `it has ${parts.length} fields instead of minute, hour, day of month, month and day of week` };
  try {
    return {
      minute: parseField(kinds.minute, minute),
      hour: parseField(kinds.hour, hour),
      day: parseField(kinds.day, day),
      month: parseField(kinds.month, month),
      weekday: parseField(kinds.weekday, weekday),
    };
  } catch (caught) {
    if (caught instanceof NotUnderstood) return { why: caught.message };
    throw caught;
  }
}

/**
 * Whether a period holds in a minute. Days are cron's: where both the day of the month and the day of the week are
 * restricted either is enough, and a field that begins with `*` restricts nothing but by its step.
 */
export function holds(period: Period, at: WallMinute): boolean {
  if (!period.minute.values.has(at.minute) || !period.hour.values.has(at.hour) || !period.month.values.has(at.month)) return false;
  const onDay = period.day.values.has(at.day);
  const onWeekday = period.weekday.values.has(at.weekday);
  return period.day.star || period.weekday.star ? onDay && onWeekday : onDay || onWeekday;
}

class NotUnderstood extends Error {}

function parseField(kind: FieldKind, text: string): Field {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    for (const value of parsePart(kind, part)) values.add(kind === kinds.weekday ? value % 7 : value);
  }
  return { values, star: text.startsWith("*") };
}

function parsePart(kind: FieldKind, part: string): readonly number[] {
  const [range = "", stepText, ...more] = part.split("/");
  const [from = "", to, ...beyond] = range.split("-");
  if (more.length > 0 || beyond.length > 0) throw refused(kind, part);
  const isStar = from === "*";
  if (isStar && to !== undefined) throw refused(kind, part);
  if (stepText !== undefined && !isStar && to === undefined) {
    throw new NotUnderstood(`the ${kind.name} "${part}" has a step and no range: ${from}-${kind.max}/${stepText} has both`);
  }
  const first = isStar ? kind.min : numberOf(kind, part, from, false);
  const last = isStar ? kind.max : to === undefined ? first : numberOf(kind, part, to, true);
  const step = stepText === undefined ? 1 : wholeNumber(stepText);
  if (step === undefined || step < 1) throw refused(kind, part);
  if (last < first) throw new NotUnderstood(`the ${kind.name} "${part}" is a range that ends before it begins`);
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, n) => first + n * step);
}

function numberOf(kind: FieldKind, part: string, text: string, end: boolean): number {
  const value = wholeNumber(text) ?? kind.named?.(text.toLowerCase(), end);
  if (value === undefined || value < kind.min || value > kind.max) throw refused(kind, part);
  return value;
}

const wholeNumber = (text: string): number | undefined => (/^\d{1,4}$/.test(text) ? Number(text) : undefined);

function refused({ name, min, max, named }: FieldKind, part: string): NotUnderstood {
  const names = named === undefined ? "" : ` or names such as ${min === 0 ? "mon" : "jan"}`;
  return new NotUnderstood(`the ${name} "${part}" is not of ${min}-${max}${names}, alone, as a range a-b or with a step */n`);
}
