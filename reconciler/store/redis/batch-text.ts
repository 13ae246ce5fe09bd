import { FireRunnerError } from "../../model/errors.js";
import type { NewEvent } from "../../model/event.js";
import type { Batch, Write } from "../port.js";
import { type RefuseBroken, readEvent, readRecord } from "../stored-text.js";

/** What one commit did, as the feed tells it. */
export interface FeedEntry {
  readonly revision: number;
  /** The commit's id, and that of the commit before it: an entry is the next one only when that is the newest known. */
  readonly commit: string;
  readonly before: string;
  /** The number of the newest event before it. */
  readonly seq: number;
  readonly batch: string;
  /** Stands where another process of the server began, and nothing was written: the number from which events are counted after it. */
  readonly leapTo: number | undefined;
}

/** Separates kind and key; no kind has it. */
const separator = " ";

/** The place of a record in the hash of all records. */
const placeOf = (kind: string, key: string): string => `${kind}${separator}${key}`;

/**
 * A batch as scripts and the feed know it: JSON of `writes`, each of them `[PLACE, EXPECTED, JSON]` with the text `absent`, `any`
 * or a revision for what is expected and an empty one for a deletion, and of `events`, each of them JSON.
 */
export function batchText({ writes, events = [] }: Batch): string {
  return JSON.stringify({
    writes: writes.map(({ kind, key, value, expect }) => [placeOf(kind, key), String(expect), value === null ? "" : JSON.stringify(value)]),
    events: events.map((event) => JSON.stringify(event)),
  });
}

/** What a batch in the feed wrote; what it expected has been judged. `FR-STORE` names what cannot be read. */
export function readBatchText({ revision, seq, batch }: FeedEntry): {
  readonly writes: readonly Write[];
  readonly events: readonly NewEvent[];
} {
  const parsed = JSON.parse(batch) as { readonly writes: readonly [string, string, string][]; readonly events: readonly string[] };
  return {
    writes: parsed.writes.map(([place, , text]) => readWrite(place, text, revision)),
    events: parsed.events.map((value, index) => readEvent({ seq: seq + index + 1, value }, refuseBroken)),
  };
}

/** A record from the hash of all records. */
export function readPlace(place: string, text: string) {
  const space = text.indexOf(" ");
  const [kind, key] = splitPlace(place);
  return readRecord({ kind, key, revision: Number(text.slice(0, space)), value: text.slice(space + 1) }, refuseBroken);
}

/** For something in Redis that this FireRunner cannot read. */
export const refuseBroken: RefuseBroken = (what, why, cause) =>
  new FireRunnerError("FR-STORE", `reading the store in Redis failed: ${what} ${why}: was it written by a newer FireRunner?`, {
    cause,
    retryable: false,
  });

function readWrite(place: string, text: string, revision: number): Write {
  const [kind, key] = splitPlace(place);
  if (text === "") return { kind, key, value: null, expect: "any" } as Write;
  const read = readRecord({ kind, key, revision, value: text }, refuseBroken);
  return { kind: read.kind, key, value: read.stored.value, expect: "any" } as Write;
}

function splitPlace(place: string): readonly [string, string] {
  const at = place.indexOf(separator);
  return [place.slice(0, at), place.slice(at + 1)];
}
