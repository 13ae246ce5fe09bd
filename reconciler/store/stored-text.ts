import type { FireRunnerError } from "../model/errors.js";
import { type Event, eventSchema } from "../model/event.js";
import { type Kind, kinds, recordSchemas } from "../model/records.js";
import { refusals } from "../model/validation.js";
import { frozen } from "./frozen.js";
import type { KindStored } from "./mirror.js";

/** Makes the error for something in a store that cannot be read: `what` is broken, and `why`. */
export type RefuseBroken = (what: string, why: string, cause?: unknown) => FireRunnerError;

/** The record that is stored as JSON text, checked against the schema of its kind. */
export function readRecord(
  { kind, key, revision, value: text }: { readonly kind: string; readonly key: string; readonly revision: number; readonly value: string },
  refuse: RefuseBroken,
): KindStored {
  const what = `${kind} "${key}"`;
  if (!isKind(kind)) throw refuse(what, "is of a kind that this FireRunner does not know");
  const value = parseJson(what, text, refuse);
  const parsed = recordSchemas[kind].safeParse(value);
  if (!parsed.success) {
    const found = refusals(parsed.error, value).map((refusal) => `${refusal.field}: ${refusal.message}`);
    throw refuse(what, `is not a record of its kind: ${found.join("; ")}`);
  }
  // The schema of `kind` gives back a record of `kind`; the pairing is lost on the compiler.
  return { kind, stored: { key, revision, value: frozen(parsed.data) } } as KindStored;
}

/** The event that is stored as JSON text without its number. */
export function readEvent({ seq, value: text }: { readonly seq: number; readonly value: string }, refuse: RefuseBroken): Event {
  const what = `event ${seq}`;
  const value = parseJson(what, text, refuse);
  const parsed = eventSchema.safeParse({ ...(typeof value === "object" ? value : {}), seq });
  if (!parsed.success) throw refuse(what, "is not an event");
  return frozen(parsed.data);
}

function parseJson(what: string, text: string, refuse: RefuseBroken): unknown {
  try {
    return JSON.parse(text);
  } catch (caught) {
    throw refuse(what, "is not JSON", caught);
  }
}

const isKind = (kind: string): kind is Kind => (kinds as readonly string[]).includes(kind);
