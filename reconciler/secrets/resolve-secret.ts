import { readFileSync, statSync } from "node:fs";
import { FireRunnerError } from "../model/errors.js";
import { secretRefSchema } from "../model/fields.js";

/** Gives the secret behind `env:NAME` or `file:PATH`; throws `FR-CONFIG`, which names the reference and never the secret. */
export type ResolveSecret = (ref: string) => string;

const maxBytes = 65_536;
const maxCached = 1000;

interface CachedFile {
  readonly version: string;
  readonly secret: string;
}

/**
 * Makes a resolver. It is cheap enough to be called for every webhook: a file is read again only when its times, size or
 * inode have changed, so a secret may be exchanged while the service runs. Paths are relative to the working directory.
 */
export function createSecretResolver(env: Readonly<Record<string, string | undefined>>): ResolveSecret {
  const files = new Map<string, CachedFile>();

  function fromFile(ref: string, path: string): string {
    const version = versionOf(ref, path);
    const cached = files.get(path);
    if (cached?.version === version) return cached.secret;
    const secret = attempt(ref, () => readFileSync(path, "utf8")).replace(/[\r\n]+$/, "");
    if (files.size >= maxCached) files.clear();
    files.set(path, { version, secret });
    return secret;
  }

  return (ref) => {
    if (!secretRefSchema.safeParse(ref).success) {
      // What is not a reference may be a secret that was put in its place: it is not repeated.
      throw new FireRunnerError("FR-CONFIG", "a secret reference must be env:NAME or file:PATH");
    }
    const [kind, name] = split(ref);
    const secret = kind === "env" ? env[name] : fromFile(ref, name);
    if (secret === undefined) throw refused(ref, `the environment has no variable ${name}`);
    if (secret === "") throw refused(ref, kind === "env" ? `the variable ${name} is empty` : "the file is empty");
    return secret;
  };
}

/** Changes whenever the file does. A pipe or a device is refused: reading one could block the whole service. */
function versionOf(ref: string, path: string): string {
  const { mtimeMs, ctimeMs, size, ino, file } = attempt(ref, () => {
    const stats = statSync(path);
    return { ...stats, file: stats.isFile() };
  });
  if (!file) throw refused(ref, "it is not a regular file");
  if (size > maxBytes) throw refused(ref, `the file is longer than ${maxBytes} bytes`);
  return `${ino}/${size}/${mtimeMs}/${ctimeMs}`;
}

function attempt<T>(ref: string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    throw refused(ref, reasons[code] ?? `the file cannot be read${code === "" ? "" : ` (${code})`}`, cause);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "the file may not be read by this user",
  EISDIR: "it is not a regular file",
};

const refused = (ref: string, reason: string, cause?: unknown): FireRunnerError =>
  new FireRunnerError("FR-CONFIG", `the secret ${ref} cannot be used: ${reason}`, cause === undefined ? {} : { cause });

function split(ref: string): readonly [kind: string, name: string] {
  const colon = ref.indexOf(":");
  return [ref.slice(0, colon), ref.slice(colon + 1)];
}
