import type { NewEvent } from "../model/event.js";

/** The type of the event that holds what a guest sent when it failed: a summary on the first line, its log after that. */
export const lastWordsType = "GuestLastWords";

/** Of a long log so much of its end is kept, in characters: the rest is in the service's own log. */
const keptLength = 4096;

/** What a guest sent when it failed, as an event of its microVM; undefined when there is nothing in it. */
export function lastWords(vm: string, text: string, at: number, traceId: string): NewEvent | undefined {
  // A line break keeps its meaning; what else controls a terminal has none here.
  const clean = text.replace(/[^\P{Cc}\n\t]/gu, "").trimEnd();
  if (clean === "") return undefined;
  const [last = ""] = clean.split("\n").slice(-1);
  const kept = clean.length <= keptLength ? clean : clean.slice(clean.indexOf("\n", clean.length - keptLength) + 1);
  const message = `its guest said at the end: ${last.slice(0, 300)}\n${kept.slice(-keptLength)}`;
  return { at, type: lastWordsType, subject: { kind: "microvm", name: vm }, message, traceId };
}
