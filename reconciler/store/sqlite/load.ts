import type Database from "libsql";
import { FireRunnerError } from "../../model/errors.js";
import { type Event, eventSchema } from "../../model/event.js";
import { type Kind, kinds, recordSchemas } from "../../model/records.js";
import { refusals } from "../../model/validation.js";
import { frozen } from "../frozen.js";
import type { Contents, KindStored } from "../mirror.js";
import type { StoreFile } from "./store-file.js";

/**
 * Reads everything that the file holds; of the events the newest `eventRetention`. What is no record of its kind is
 * refused with `FR-STORE`, which names kind and key.
 */
export function loadContents({ database, path }: StoreFile, eventRetention: number): Contents {
  const counters = new Map(rows<[string, number]>(database, "SELECT name, value FROM counter"));
  const counter = (name: "revision" | "seq" | "takeovers"): number => {
    const value = counters.get(name);
    if (value === undefined) throw broken(path, `counter "${name}"`, "is missing");
    return value;
  };
  const lastSeq = counter("seq");
  const records = rows<[string, string, number, string]>(database, "SELECT kind, key, revision, value FROM record").map((row) =>
    toRecord(path, row),
  );
  const events = rows<[number, string]>(database, "SELECT seq, value FROM event WHERE seq > ? ORDER BY seq", lastSeq - eventRetention).map(
    ([seq, text]): Event => {
      const what = `event ${seq}`;
      const parsed = eventSchema.safeParse({ ...asObject(parseJson(path, what, text)), seq });
      if (!parsed.success) throw broken(path, what, "is not an event");
      return frozen(parsed.data);
    },
  );
  return { records, events, revision: counter("revision"), lastSeq, takeovers: counter("takeovers") };
}

function toRecord(path: string, [kind, key, revision, text]: [string, string, number, string]): KindStored {
  const what = `${kind} "${key}"`;
  if (!isKind(kind)) throw broken(path, what, "is of a kind that this FireRunner does not know");
  const value = parseJson(path, what, text);
  const parsed = recordSchemas[kind].safeParse(value);
  if (!parsed.success) {
    const found = refusals(parsed.error, value).map((refusal) => `${refusal.field}: ${refusal.message}`);
    throw broken(path, what, `is not a record of its kind: ${found.join("; ")}`);
  }
  // The schema of `kind` gives back a record of `kind`; the pairing is lost on the compiler.
  return { kind, stored: { key, revision, value: frozen(parsed.data) } } as KindStored;
}

function parseJson(path: string, what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (caught) {
    throw broken(path, what, "is not JSON", caught);
  }
}

const asObject = (value: unknown): object => (typeof value === "object" && value !== null ? value : {});

const isKind = (kind: string): kind is Kind => (kinds as readonly string[]).includes(kind);

function broken(path: string, what: string, why: string, cause?: unknown): FireRunnerError {
  return new FireRunnerError(
    "FR-STORE",
    `reading the store file ${path} failed: ${what} ${why}: restore the file from a copy, or move it away and apply the fleet again`,
    { cause },
  );
}

/** The rows of a query as arrays of its columns. */
function rows<R extends readonly unknown[]>(database: Database.Database, sql: string, ...parameters: readonly unknown[]): R[] {
  return database
    .prepare(sql)
    .raw(true)
    .all(...parameters) as R[];
}
