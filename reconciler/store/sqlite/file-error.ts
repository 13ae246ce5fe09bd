import { FireRunnerError } from "../../model/errors.js";

/** What the common failures of a store file ask of people, by SQLite's or the operating system's code. */
const advice: Readonly<Record<string, string>> = {
  SQLITE_BUSY: "another process uses it; stop that one, or give this one a path of its own",
  SQLITE_NOTADB: "it is not a store; move it away, or give the store another path",
  SQLITE_CORRUPT: "it is damaged; restore it from a copy, or move it away and apply the fleet again",
  SQLITE_FULL: "the disk is full; make room",
  SQLITE_READONLY: "it cannot be written; check its owner and mode",
  EACCES: "the service may not write there; check owner and mode",
  EPERM: "the service may not change it; check its owner",
  EROFS: "the file system is read-only; give the store another path",
  ENOTDIR: "a part of the path is not a directory",
};

/** An `FR-STORE` error that says what was tried on which file, what came of it, and what to do. */
export function fileError(caught: unknown, attempted: string, path: string, retryable = false): FireRunnerError {
  if (caught instanceof FireRunnerError) return caught;
  const text = caught instanceof Error ? caught.message : String(caught);
  const code = codeOf(caught);
  // Extended codes begin with the plain one: SQLITE_BUSY_RECOVERY is a kind of SQLITE_BUSY.
  const help = Object.entries(advice).find(([known]) => code === known || code?.startsWith(`${known}_`))?.[1];
  const message = `${attempted} ${path} failed: ${text}${help === undefined ? "" : `: ${help}`}`;
  return new FireRunnerError("FR-STORE", message, {
    retryable,
    cause: caught,
    details: { path, ...(code === undefined ? {} : { reason: code }) },
  });
}

function codeOf(caught: unknown): string | undefined {
  return typeof caught === "object" && caught !== null && "code" in caught && typeof caught.code === "string" ? caught.code : undefined;
}
