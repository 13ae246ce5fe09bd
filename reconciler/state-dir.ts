import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { FireRunnerError } from "./model/errors.js";

/** The directory in which a service keeps its own files; others may not look into it. */
export interface StateDir {
  /** The path of one of its files. */
  path(name: string): string;
  has(name: string): boolean;
  /** The line in the file; on the first start it is made of `bytes` random bytes as hex (mode 0600). */
  secret(name: string, bytes: number): string;
  /** Replaces the file's content (mode 0600). */
  write(name: string, text: string): void;
}

/** Makes the directory (mode 0700) when it is missing; `FR-CONFIG` when that cannot be. */
export function openStateDir(directory: string): StateDir {
  const path = (name: string) => join(directory, name);
  attempt(`making the state directory ${directory}`, () => mkdirSync(directory, { recursive: true, mode: 0o700 }));
  return {
    path,
    has: (name) => existsSync(path(name)),
    secret: (name, bytes) =>
      attempt(`reading or making ${path(name)}`, () => {
        if (!existsSync(path(name))) makeOnce(path(name), `${randomBytes(bytes).toString("hex")}\n`);
        const text = readFileSync(path(name), "utf8").trim();
        if (text === "") throw new FireRunnerError("FR-CONFIG", `${path(name)} is empty: write the secret into it, or remove it`);
        return text;
      }),
    write: (name, text) => attempt(`writing ${path(name)}`, () => renameSync(writeDraft(path(name), text), path(name))),
  };
}

/** Whole or not at all, and never over what another process has just made: a half-written key would be a lost one. */
function makeOnce(path: string, text: string): void {
  const draft = writeDraft(path, text);
  try {
    linkSync(draft, path);
  } catch (caught) {
    if (!(caught instanceof Error && "code" in caught && caught.code === "EEXIST")) throw caught;
  } finally {
    unlinkSync(draft);
  }
}

function writeDraft(path: string, text: string): string {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const file = openSync(draft, "wx", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return draft;
}

function attempt<T>(attempted: string, step: () => T): T {
  try {
    return step();
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", attempted);
  }
}
