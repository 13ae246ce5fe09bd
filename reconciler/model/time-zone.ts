import type { WallMinute } from "./period.js";

/** The last minute that was asked for in a zone: all pools of a pass ask for the same. */
interface Zone {
  readonly format: Intl.DateTimeFormat;
  minute: number;
  shown: WallMinute;
}

/** Making a formatter costs more than a pass of a small fleet. What is remembered follows from the zone's name alone. */
const zones = new Map<string, Zone>();
const mostZones = 1_000;

const minuteMs = 60_000;
const weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** Whether a name is one of the IANA time zones that this machine knows. */
export function isTimeZone(name: string): boolean {
  if (/^[+-]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The minute that clocks show in a zone at a time, in milliseconds since the epoch. Throws a RangeError for no zone. */
export function wallMinute(timeZone: string, at: number): WallMinute {
  const zone = zones.get(timeZone) ?? remember(timeZone);
  const minute = Math.floor(at / minuteMs);
  if (zone.minute !== minute) {
    zone.minute = minute;
    zone.shown = show(zone.format, minute);
  }
  return zone.shown;
}

/** When the minute ends in which a time lies. Every zone of today begins its minutes together with UTC. */
export const nextMinute = (at: number): number => (Math.floor(at / minuteMs) + 1) * minuteMs;

function remember(timeZone: string): Zone {
  const parts = { minute: "numeric", hour: "numeric", day: "numeric", month: "numeric", weekday: "short" } as const;
  const format = new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", ...parts });
  const zone: Zone = { format, minute: 0, shown: show(format, 0) };
  if (zones.size >= mostZones) zones.clear();
  zones.set(timeZone, zone);
  return zone;
}

function show(format: Intl.DateTimeFormat, minute: number): WallMinute {
  const shown = new Map(format.formatToParts(minute * minuteMs).map(({ type, value }) => [type, value]));
  const number = (type: Intl.DateTimeFormatPartTypes) => Number(shown.get(type));
  return {
    minute: number("minute"),
    hour: number("hour"),
    day: number("day"),
    month: number("month"),
    weekday: weekdays.indexOf(shown.get("weekday") ?? ""),
  };
}
