import { lastWordsType } from "../../guest/last-words.js";
import type { Event } from "../../model/event.js";

/** What a table shows of an event: of a guest's log the first line tells it, `firerunner logs --guest` shows the others. */
export function eventMessage({ type, message }: Pick<Event, "type" | "message">): string {
  return type === lastWordsType ? (message.split("\n", 1)[0] ?? "") : message;
}
