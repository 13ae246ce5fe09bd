import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Independent programs that speak GitLab's protocols, for the tests of `test/clients`. */
export type ClientKind = "python" | "rust";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Where they are built: complete or absent. */
export const clientsFolder = join(root, ".cache", "clients");

/** Where each comes from. */
export const clientSources: Readonly<Record<ClientKind, string>> = {
  python: join(root, "test", "clients", "python"),
  rust: join(root, "test", "clients", "rust"),
};

/** The programs of the Rust package. */
export const rustPrograms: readonly string[] = ["take-jobs", "serve-mock"];

/** The files that decide whether a built one is still the right one. */
const pinned: Readonly<Record<ClientKind, readonly string[]>> = {
  python: ["requirements.txt"],
  rust: ["Cargo.toml", "Cargo.lock", ...rustPrograms.map((name) => `src/bin/${name}.rs`)],
};

/** Written last, so that what was interrupted is not taken for whole. */
export const wholeMark = "whole";

/** The folder of what is built from the sources as they are now. */
export function builtClient(kind: ClientKind): string {
  const hash = createHash("sha256");
  for (const name of pinned[kind])
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(clientSources[kind], name)))
      .update("\0");
  return join(clientsFolder, `${kind}-${hash.digest("hex").slice(0, 16)}`);
}

/** Where the built programs are, or undefined when `npm run setup` has not built them as they are now. */
export function findClient(kind: ClientKind): string | undefined {
  const folder = builtClient(kind);
  const needed = [wholeMark, ...(kind === "python" ? ["bin/python"] : rustPrograms)];
  return needed.every((name) => existsSync(join(folder, name))) ? folder : undefined;
}

/** Why one is missing: one line. */
export const missingClient = (kind: ClientKind): string =>
  kind === "python"
    ? "python-gitlab is missing: `npm run setup` installs it, with Python 3.10 or newer"
    : "the clients in Rust are missing: `npm run setup` builds them, with Rust 1.90 or newer in a few minutes";
