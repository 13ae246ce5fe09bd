import { FireRunnerError } from "../model/errors.js";
import { eventSchema, type NewEvent } from "../model/event.js";
import { type Kind, kinds, recordSchemas } from "../model/records.js";
import { parseOrRefuse } from "../model/validation.js";
import { frozen } from "./frozen.js";
import type { Batch, Write } from "./port.js";

/** Longer than any key that is made of names, with room; a key stands in every index entry. */
const longestKey = 1024;
const halfSurrogatePair = /\p{Cs}/u;

const newEventSchema = eventSchema.omit({ seq: true });

/**
 * The batch as it will be stored, made of frozen copies: nothing that the caller still holds. Refused with `FR-INVALID` is what
 * could not be read again after a restart: a value that its schema refuses, an unusable key, one record written twice.
 */
export function checkBatch(batch: Batch): Batch {
  const seen = new Set<string>();
  const writes = batch.writes.map((write) => checkWrite(write, seen));
  const events: readonly NewEvent[] = (batch.events ?? []).map((event) =>
    frozen(parseOrRefuse(newEventSchema, event, `event "${event.type}"`)),
  );
  return { writes, events, ...(batch.epoch === undefined ? {} : { epoch: batch.epoch }) };
}

function checkWrite(write: Write, seen: Set<string>): Write {
  const { kind, key, value, expect } = write;
  checkKind(kind);
  if (!isKeepable(key)) {
    throw new FireRunnerError(
      "FR-INVALID",
      `key of a ${kind}: ${JSON.stringify(key)} is refused: must be 1 to ${longestKey} characters of whole Unicode text without NUL`,
    );
  }
  const place = `${kind} "${key}"`;
  if (seen.has(place)) throw new FireRunnerError("FR-INVALID", `${place}: is written twice in one batch: must be written once`);
  seen.add(place);
  if (value === null) return { kind, key, value, expect };
  // The schema of `kind` gives back a record of `kind`; the pairing is lost on the compiler.
  return { kind, key, value: frozen(parseOrRefuse(recordSchemas[kind], value, place)), expect } as Write;
}

/** NUL ends a text for SQLite, and half a surrogate pair has no UTF-8: neither would come back as it went. */
function isKeepable(key: string): boolean {
  return key.length > 0 && key.length <= longestKey && !key.includes("\0") && !halfSurrogatePair.test(key);
}

function checkKind(kind: Kind): void {
  if (!kinds.includes(kind)) throw new FireRunnerError("FR-INVALID", `kind "${kind}" is refused: must be one of ${kinds.join(", ")}`);
}
