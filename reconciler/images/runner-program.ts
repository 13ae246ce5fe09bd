import { createHash } from "node:crypto";
import { chmod, copyFile, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, extname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { FireRunnerError } from "../model/errors.js";
import { fileDigest } from "./file-digest.js";

/** Where gitlab-runner comes from: a file or an address, and what it must be. */
export interface GitLabRunnerSource {
  /** A path or an http or https URL. */
  readonly from: string;
  /** Its SHA-256 in hex. */
  readonly sha256: string;
}

/** The runner that an image carries, for its label and its list of contents. */
export interface CarriedRunner {
  readonly kind: "gitlab-runner" | "embedded";
  readonly version: string;
}

/** More than the slowest mirror needs for a hundred megabytes. */
const downloadLimitMs = 10 * 60_000;

/**
 * Puts gitlab-runner into a root file system's folder. Throws `FR-IMAGE-BUILD` when it cannot be had or is not what the
 * checksum says: then nothing of it is kept.
 */
export async function placeGitLabRunner({ from, sha256 }: GitLabRunnerSource, root: string): Promise<CarriedRunner> {
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    throw new FireRunnerError("FR-INVALID", `the checksum of gitlab-runner: "${sha256}" is refused: must be 64 hex digits`);
  }
  const target = join(root, "usr/bin/gitlab-runner");
  await mkdir(dirname(target), { recursive: true });
  await take(from, target);
  const found = await fileDigest(target);
  if (found !== sha256) {
    await rm(target, { force: true });
    throw new FireRunnerError(
      "FR-IMAGE-BUILD",
      `gitlab-runner from ${from} has the checksum ${found}, not ${sha256}: it is not what was pinned`,
    );
  }
  await chmod(target, 0o755);
  return { kind: "gitlab-runner", version: `sha256:${sha256}` };
}

async function take(from: string, target: string): Promise<void> {
  try {
    if (!/^https?:\/\//.test(from)) return await copyFile(from, target);
    const answer = await fetch(from, { signal: AbortSignal.timeout(downloadLimitMs) });
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    await writeFile(target, Buffer.from(await answer.arrayBuffer()));
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-IMAGE-BUILD", `taking gitlab-runner from ${from}`);
  }
}

/**
 * Puts the embedded runner, and the Node that runs this process to run it with, into a root file system's folder: what an
 * image carries where there is no gitlab-runner. It speaks GitLab's protocol and runs jobs with bash.
 */
export async function placeEmbeddedRunner(root: string): Promise<CarriedRunner> {
  const folder = join(root, "usr/lib/firerunner");
  await mkdir(folder, { recursive: true });
  await copyFile(process.execPath, join(folder, "node"));
  await chmod(join(folder, "node"), 0o755);
  const sources = fileURLToPath(new URL("..", import.meta.url));
  const extension = extname(fileURLToPath(import.meta.url));
  const files = await closure(join(sources, `embedded/runner/bin${extension}`), extension);
  const hash = createHash("sha256");
  for (const file of files) {
    const text = await asJavaScript(file);
    hash.update(text);
    const target = join(folder, "runner", relative(sources, file).replace(/\.ts$/, ".js"));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
  }
  await writeFile(join(folder, "runner/package.json"), '{"type":"module"}\n');
  return { kind: "embedded", version: `${process.version} ${hash.digest("hex").slice(0, 12)}` };
}

/** A module and all that it imports by a relative path; the embedded runner imports nothing else beyond Node. */
async function closure(entry: string, extension: string): Promise<readonly string[]> {
  const found = new Set<string>([entry]);
  for (const file of found) {
    const text = await readFile(file, "utf8");
    for (const [, kind, path] of text.matchAll(/^(?:import|export)\b( type)?[^"]*"(\.[^"]+)\.js"/gm)) {
      const next = resolve(dirname(file), `${path}${extension}`);
      if (kind === undefined && (await stat(next)).isFile()) found.add(next);
    }
  }
  return [...found].toSorted();
}

/** As it is in a package; of sources, what the compiler makes of them. */
async function asJavaScript(file: string): Promise<string> {
  const text = await readFile(file, "utf8");
  if (extname(file) === ".js") return text;
  const { transpileModule, ModuleKind, ScriptTarget } = createRequire(import.meta.url)("typescript") as typeof import("typescript");
  return transpileModule(text, { compilerOptions: { module: ModuleKind.ESNext, target: ScriptTarget.ES2023, verbatimModuleSyntax: true } })
    .outputText;
}
