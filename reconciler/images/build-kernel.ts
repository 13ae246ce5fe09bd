import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { FireRunnerError } from "../model/errors.js";
import { fileDigest } from "./file-digest.js";
import { droppedOptions, readKernelOptions } from "./kernel-options.js";
import { recipe } from "./recipes.js";
import { runTool } from "./run-tool.js";
import { sourceDate } from "./source-date.js";

/** `container` is `minimal` and what a container engine in the guest needs. */
export const kernelVariants = ["minimal", "container"] as const;
export type KernelVariant = (typeof kernelVariants)[number];

export interface KernelBuildOptions {
  readonly variant: KernelVariant;
  /** Built kernels are kept here, by the hash of all that goes into one. */
  readonly cache: string;
  /** The kernel's sources as Debian packs them. */
  readonly source?: string;
  readonly say: (line: string) => void;
}

/** A built kernel's files. */
export interface BuiltKernel {
  /** Uncompressed, as Firecracker boots it (and QEMU, by PVH). */
  readonly vmlinux: string;
  /** Compressed, as boot loaders take it. */
  readonly bzImage: string;
  readonly config: string;
  /** For example `6.1.192`. */
  readonly version: string;
  /** The hash of all that went into it. */
  readonly key: string;
}

export const debianKernelSource = "/usr/src/linux-source-6.1.tar.xz";
/** Told apart from earlier ways to build, whose results are not taken again. */
const recipeVersion = 1;
const limitMs = 45 * 60_000;
const names = ["vmlinux", "bzImage", "config", "version"] as const;

/**
 * Builds a guest kernel from Debian's source package, or takes the one that was built of the same source, fragments and
 * compiler before. The same inputs give the same bytes. Throws `FR-CONFIG` when sources or tools are missing, and
 * `FR-IMAGE-BUILD` naming the options that the kernel's own dependencies dropped.
 */
export async function buildKernel(options: KernelBuildOptions): Promise<BuiltKernel> {
  const { variant, cache, say, source = debianKernelSource } = options;
  const fragment = await readFragment(variant);
  const key = await hashOfInputs(source, fragment);
  const folder = join(cache, `kernel-${variant}-${key.slice(0, 16)}`);
  const built = await findBuilt(folder, key);
  if (built !== undefined) {
    say(`kernel ${variant} ${built.version}: built before (${key.slice(0, 16)})`);
    return built;
  }
  const work = `${folder}.${process.pid}`;
  await mkdir(join(work, "out"), { recursive: true });
  try {
    say(`kernel ${variant}: unpacking ${source}`);
    const tree = join(work, "linux");
    await mkdir(tree);
    await runTool("tar", ["-xJf", source, "-C", tree, "--strip-components=1", ...unneeded], { limitMs });
    await configure(tree, join(work, "fragment"), fragment);
    say(`kernel ${variant}: compiling (some minutes)`);
    const began = performance.now();
    await runTool("make", ["-s", `-j${cpus().length}`, ...reproducible(), "vmlinux", "bzImage"], { cwd: tree, limitMs });
    await collect(tree, join(work, "out"));
    await rm(folder, { recursive: true, force: true });
    await rename(join(work, "out"), folder);
    say(`kernel ${variant}: compiled in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const made = await findBuilt(folder, key);
  if (made === undefined) throw new FireRunnerError("FR-INTERNAL", `the kernel that was built in ${folder} is not there`);
  return made;
}

/** Most of the sources are drivers and machines that no microVM has; their lists of options are kept, because they are read. */
const unneeded = ["sound", "drivers/gpu", "drivers/media", "drivers/net/ethernet", "drivers/net/wireless", "drivers/staging"]
  .map((folder) => `--exclude=*/${folder}/*.[ch]`)
  .concat("--exclude=*/tools/testing/*", "--exclude=*/Documentation/*.rst");

async function readFragment(variant: KernelVariant): Promise<string> {
  const files = variant === "minimal" ? ["minimal"] : ["minimal", variant];
  const texts = await Promise.all(files.map((name) => readFile(recipe(`kernel/${name}.config`), "utf8")));
  return texts.join("\n");
}

async function hashOfInputs(source: string, fragment: string): Promise<string> {
  try {
    await stat(source);
  } catch (caught) {
    throw new FireRunnerError("FR-CONFIG", `the kernel's sources ${source} are missing; on Debian: apt-get install linux-source-6.1`, {
      cause: caught,
    });
  }
  const compiler = (await runTool("gcc", ["--version"], { limitMs: 10_000 })).toString().split("\n")[0] ?? "";
  const hash = createHash("sha256");
  for (const part of [String(recipeVersion), await fileDigest(source), fragment, compiler, String(sourceDate())]) {
    hash.update(`${Buffer.byteLength(part)}:${part}`);
  }
  return hash.digest("hex");
}

async function configure(tree: string, file: string, fragment: string): Promise<void> {
  await writeFile(file, fragment);
  await runTool("make", ["-s", "allnoconfig", `KCONFIG_ALLCONFIG=${file}`], { cwd: tree, limitMs });
  const config = readKernelOptions(await readFile(join(tree, ".config"), "utf8"));
  const dropped = droppedOptions(readKernelOptions(fragment), config);
  if (dropped.length === 0) return;
  const list = dropped.map(({ name, value }) => `CONFIG_${name}=${value}`).join(", ");
  throw new FireRunnerError("FR-IMAGE-BUILD", `the kernel's configuration dropped ${list}: what an option depends on must be set as well`);
}

/** Nothing of the machine or the moment gets into the kernel. */
function reproducible(): readonly string[] {
  const settings = {
    KBUILD_BUILD_TIMESTAMP: new Date(sourceDate() * 1000).toISOString(),
    KBUILD_BUILD_USER: "firerunner",
    KBUILD_BUILD_HOST: "firerunner",
    KBUILD_BUILD_VERSION: "1",
    LOCALVERSION: "",
  };
  return Object.entries(settings).map(([name, value]) => `${name}=${value}`);
}

async function collect(tree: string, out: string): Promise<void> {
  await runTool("strip", ["--strip-all", "-o", join(out, "vmlinux"), join(tree, "vmlinux")], { limitMs: 60_000 });
  await copyFile(join(tree, "arch/x86/boot/bzImage"), join(out, "bzImage"));
  await copyFile(join(tree, ".config"), join(out, "config"));
  const release = await readFile(join(tree, "include/config/kernel.release"), "utf8");
  await writeFile(join(out, "version"), release);
}

async function findBuilt(folder: string, key: string): Promise<BuiltKernel | undefined> {
  const [vmlinux, bzImage, config, version] = names.map((name) => join(folder, name)) as [string, string, string, string];
  try {
    await Promise.all([vmlinux, bzImage, config].map((file) => stat(file)));
    return { vmlinux, bzImage, config, key, version: (await readFile(version, "utf8")).trim() };
  } catch {
    return undefined;
  }
}
