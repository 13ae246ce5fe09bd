import type Database from "libsql";
import { FireRunnerError } from "../../model/errors.js";
import type { Contents } from "../mirror.js";
import { readEvent, readRecord } from "../stored-text.js";
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
  const refuse = (what: string, why: string, cause?: unknown) => broken(path, what, why, cause);
  const records = rows<[string, string, number, string]>(database, "SELECT kind, key, revision, value FROM record").map(
    ([kind, key, revision, value]) => readRecord({ kind, key, revision, value }, refuse),
  );
  const events = rows<[number, string]>(database, "SELECT seq, value FROM event WHERE seq > ? ORDER BY seq", lastSeq - eventRetention).map(
    ([seq, value]) => readEvent({ seq, value }, refuse),
  );
  return { records, events, revision: counter("revision"), lastSeq, takeovers: counter("takeovers") };
}

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
