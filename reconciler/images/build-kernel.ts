import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { FireRunnerError } from "../model/errors.js";
import { fileDigest } from "./file-digest.js";
import type { Architecture } from "./image-store.js";
import { droppedOptions, readKernelOptions } from "./kernel-options.js";
import { recipe } from "./recipes.js";
import { runTool } from "./run-tool.js";
import { sourceDate } from "./source-date.js";

/** `container` is `minimal` and what a container engine in the guest needs. */
export const kernelVariants = ["minimal", "container"] as const;
export type KernelVariant = (typeof kernelVariants)[number];

/** How a kernel of an architecture is made on amd64, and which of its files Firecracker boots. */
interface Target {
  /** Beyond the variant's own. */
  readonly fragments: readonly string[];
  readonly make: readonly string[];
  readonly compiler: "gcc" | "aarch64-linux-gnu-gcc-12";
  readonly goals: readonly string[];
  collect(tree: string, out: string): Promise<void>;
}

const targets: Readonly<Record<Architecture, Target>> = {
  amd64: {
    fragments: [],
    make: [],
    compiler: "gcc",
    goals: ["vmlinux", "bzImage"],
    async collect(tree, out) {
      await runTool("strip", ["--strip-all", "-o", join(out, "vmlinux"), join(tree, "vmlinux")], { limitMs: 60_000 });
      await copyFile(join(tree, "arch/x86/boot/bzImage"), join(out, "bzImage"));
    },
  },
  arm64: {
    fragments: ["arm64"],
    make: ["ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-", "CC=aarch64-linux-gnu-gcc-12"],
    compiler: "aarch64-linux-gnu-gcc-12",
    goals: ["Image"],
    // Under the name that it has on amd64: a fleet names one file for both.
    collect: (tree, out) => copyFile(join(tree, "arch/arm64/boot/Image"), join(out, "vmlinux")),
  },
};

export interface KernelBuildOptions {
  readonly variant: KernelVariant;
  readonly arch: Architecture;
  /** A folder of the build's own, on the same file system as `cache`. */
  readonly work: string;
  /** Built kernels are kept here, by the hash of all that goes into one. */
  readonly cache: string;
  /** The kernel's sources as Debian packs them. */
  readonly source?: string;
  readonly say: (line: string) => void;
  /** Ends the build. */
  readonly signal?: AbortSignal | undefined;
}

/** A built kernel's files. */
export interface BuiltKernel {
  /** As Firecracker boots it: uncompressed, on amd64 an ELF file (which QEMU boots by PVH). */
  readonly vmlinux: string;
  readonly config: string;
  /** For example `6.1.192`. */
  readonly version: string;
  /** The hash of all that went into it. */
  readonly key: string;
}

export const debianKernelSource = "/usr/src/linux-source-6.1.tar.xz";
/** Told apart from earlier ways to build, whose results are not taken again. */
const recipeVersion = 1;
/** Minutes, but many times as long on a machine that has much else to do. */
const limitMs = 2 * 60 * 60_000;

/**
 * Builds a guest kernel from Debian's source package, or takes the one that was built of the same source, fragments and
 * compiler before. The same inputs give the same bytes. Throws `FR-CONFIG` when sources or tools are missing, and
 * `FR-IMAGE-BUILD` naming the options that the kernel's own dependencies dropped.
 */
export async function buildKernel(options: KernelBuildOptions): Promise<BuiltKernel> {
  const { variant, arch, work, cache, say, source = debianKernelSource, signal } = options;
  const target = targets[arch];
  const fragment = await readFragment(variant, target);
  const key = await hashOfInputs(source, fragment, target);
  const folder = join(cache, `kernel-${variant}-${key.slice(0, 16)}`);
  const built = await findBuilt(folder, key);
  if (built !== undefined) {
    say(`kernel ${variant} ${built.version}: built before (${key.slice(0, 16)})`);
    return built;
  }
  say(`kernel ${variant}: unpacking ${source}`);
  const tree = await configureKernel(options);
  const out = join(work, "out");
  await mkdir(out);
  say(`kernel ${variant}: compiling (some minutes)`);
  const began = performance.now();
  await runTool("make", ["-s", `-j${cpus().length}`, ...target.make, ...reproducible(), ...target.goals], { cwd: tree, limitMs, signal });
  await target.collect(tree, out);
  await copyFile(join(tree, ".config"), join(out, "config"));
  await writeFile(join(out, "version"), await readFile(join(tree, "include/config/kernel.release"), "utf8"));
  await rm(folder, { recursive: true, force: true });
  await rename(out, folder);
  say(`kernel ${variant}: compiled in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  const made = await findBuilt(folder, key);
  if (made === undefined) throw new FireRunnerError("FR-INTERNAL", `the kernel that was built in ${folder} is not there`);
  return made;
}

/**
 * Unpacks and configures a kernel's sources in the build's folder; resolves to theirs. Throws `FR-IMAGE-BUILD` naming what of
 * the fragments this kernel does not have, or drops because something else is missing.
 */
export async function configureKernel(options: Omit<KernelBuildOptions, "cache" | "say">): Promise<string> {
  const { variant, arch, work, source = debianKernelSource, signal } = options;
  const target = targets[arch];
  const fragment = await readFragment(variant, target);
  const tree = join(work, "linux");
  await mkdir(tree);
  await runTool("tar", ["-xJf", source, "-C", tree, "--strip-components=1", ...unneeded], { limitMs, signal });
  const file = join(work, "fragment");
  await writeFile(file, fragment);
  await runTool("make", ["-s", ...target.make, "allnoconfig", `KCONFIG_ALLCONFIG=${file}`], { cwd: tree, limitMs, signal });
  const config = readKernelOptions(await readFile(join(tree, ".config"), "utf8"));
  const dropped = droppedOptions(readKernelOptions(fragment), config);
  if (dropped.length === 0) return tree;
  const list = dropped.map(({ name, value }) => `CONFIG_${name}=${value}`).join(", ");
  throw new FireRunnerError("FR-IMAGE-BUILD", `the kernel's configuration dropped ${list}: what an option depends on must be set as well`);
}

/** Most of the sources are drivers and machines that no microVM has; their lists of options are kept, because they are read. */
const unneeded = ["sound", "drivers/gpu", "drivers/media", "drivers/net/ethernet", "drivers/net/wireless", "drivers/staging"]
  .map((folder) => `--exclude=*/${folder}/*.[ch]`)
  .concat("--exclude=*/tools/testing/*", "--exclude=*/Documentation/*.rst");

async function readFragment(variant: KernelVariant, { fragments }: Target): Promise<string> {
  const files = [...(variant === "minimal" ? ["minimal"] : ["minimal", variant]), ...fragments];
  const texts = await Promise.all(files.map((name) => readFile(recipe(`kernel/${name}.config`), "utf8")));
  return texts.join("\n");
}

async function hashOfInputs(source: string, fragment: string, target: Target): Promise<string> {
  try {
    await stat(source);
  } catch (caught) {
    throw new FireRunnerError("FR-CONFIG", `the kernel's sources ${source} are missing; on Debian: apt-get install linux-source-6.1`, {
      cause: caught,
    });
  }
  const compiler = (await runTool(target.compiler, ["--version"], { limitMs: 10_000 })).toString().split("\n")[0] ?? "";
  const hash = createHash("sha256");
  for (const part of [String(recipeVersion), await fileDigest(source), fragment, compiler, String(sourceDate())]) {
    hash.update(`${Buffer.byteLength(part)}:${part}`);
  }
  return hash.digest("hex");
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

async function findBuilt(folder: string, key: string): Promise<BuiltKernel | undefined> {
  const [vmlinux, config] = [join(folder, "vmlinux"), join(folder, "config")];
  try {
    await Promise.all([vmlinux, config].map((file) => stat(file)));
    return { vmlinux, config, key, version: (await readFile(join(folder, "version"), "utf8")).trim() };
  } catch {
    return undefined;
  }
}
