import { chmod, copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { FireRunnerError } from "../model/errors.js";
import { buildKernel, type KernelVariant, kernelVariants } from "./build-kernel.js";
import { buildRootfs, type RootfsBuildOptions, type RootfsFlavour, rootfsFlavours } from "./build-rootfs.js";
import { type Architecture, type ImageStore, type StoredImage, storedName } from "./image-store.js";
import { runTool } from "./run-tool.js";
import { cycloneDx } from "./sbom.js";
import { sourceDate } from "./source-date.js";
import { withLock } from "./with-lock.js";

/** The images that can be built: kernels as `kernel-<variant>`, root file systems by their flavour. */
export const imageNames = [...kernelVariants.map((variant) => `kernel-${variant}` as const), ...rootfsFlavours];
export type ImageName = (typeof imageNames)[number];

export interface ImageBuildOptions extends Pick<RootfsBuildOptions, "mirror" | "gitlabRunner" | "say" | "signal"> {
  readonly store: ImageStore;
  /** FireRunner's own version, for the label. */
  readonly version: string;
  /** A kernel's architecture; root file systems are of amd64. */
  readonly arch?: Architecture;
  /** The kernel's sources, when they are not Debian's package in its usual place. */
  readonly kernelSource?: string;
}

/** A kernel on a slow machine, and one before it. */
const lockLimitMs = 3 * 60 * 60_000;

/** Labels are under the project's own name, beside those that OCI knows. */
const labelled = (kind: "kernel" | "rootfs", name: string, version: string, more: Readonly<Record<string, string>>) => ({
  "org.opencontainers.image.title": name,
  "org.opencontainers.image.version": version,
  "firerunner.kind": kind,
  ...more,
});

/** The name of an image that can be built; `FR-INVALID` for any other. */
export function imageName(text: string): ImageName {
  const found = imageNames.find((name) => name === text);
  if (found !== undefined) return found;
  throw new FireRunnerError("FR-INVALID", `image: "${text}" is refused: must be one of ${imageNames.join(", ")}`);
}

/**
 * Builds an image into the store. The same inputs give the same digest. Of one name one build runs at a time, whatever
 * process asks; one that ends early, be it killed, leaves nothing in the store, and what it leaves beside it the next takes
 * away. Rejects with the signal's reason when that ends the build.
 */
export async function buildImage(name: ImageName, options: ImageBuildOptions): Promise<StoredImage> {
  const { store, say, signal, arch = "amd64" } = options;
  const { directory } = store;
  if (arch !== "amd64" && !name.startsWith("kernel-")) {
    throw new FireRunnerError("FR-INVALID", `arch: "${arch}" is refused for ${name}: root file systems are built for amd64 alone`);
  }
  const onWait = () => say(`${name}: another build of it runs in ${directory}; waiting for its end`);
  return withLock(join(directory, `${storedName(name, arch)}.lock`), { limitMs: lockLimitMs, onWait, signal }, async () => {
    const prefix = `build-${storedName(name, arch)}.`;
    const left = (await readdir(directory)).filter((entry) => entry.startsWith(prefix));
    await Promise.all(left.map((entry) => rm(join(directory, entry), { recursive: true, force: true })));
    const work = await mkdtemp(join(directory, prefix));
    // Packages are fetched by a user without rights.
    await chmod(work, 0o711);
    try {
      return await build(name, work, options);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

async function build(name: ImageName, work: string, options: ImageBuildOptions): Promise<StoredImage> {
  const variant = kernelVariants.find((each) => name === `kernel-${each}`);
  if (variant !== undefined) return buildKernelImage(name, variant, work, options);
  const flavour = rootfsFlavours.find((each) => name === each);
  if (flavour !== undefined) return buildRootfsImage(flavour, work, options);
  throw new FireRunnerError("FR-INTERNAL", `there is no recipe for ${name}`);
}

async function buildKernelImage(name: ImageName, variant: KernelVariant, work: string, options: ImageBuildOptions): Promise<StoredImage> {
  const { store, say, version, kernelSource, signal, arch = "amd64" } = options;
  const built = await buildKernel({
    ...{ variant, arch, work, say, signal },
    cache: store.directory,
    ...(kernelSource === undefined ? {} : { source: kernelSource }),
  });
  const boot = join(work, "root", "boot");
  await mkdir(boot, { recursive: true });
  // QEMU boots the same file by PVH; the compressed one, for boot loaders, stays beside the store.
  for (const file of ["vmlinux", "config"] as const) await copyFile(built[file], join(boot, file));
  const layer = join(work, "layer.tar");
  const date = sourceDate();
  const settings = ["--sort=name", "--format=gnu", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX", `--mtime=@${date}`];
  await runTool("tar", ["-cf", layer, ...settings, "-C", join(work, "root"), "boot"], { limitMs: 60_000 });
  const labels = labelled("kernel", name, version, { "firerunner.kernel": built.version, "firerunner.inputs": built.key });
  const others = [{ name: "linux", version: built.version }];
  const sbom = cycloneDx({ name, version, date, packages: [], others });
  return store.add({ name: storedName(name, arch), layer, arch, date, sbom, labels });
}

async function buildRootfsImage(flavour: RootfsFlavour, work: string, options: ImageBuildOptions): Promise<StoredImage> {
  const { store, version } = options;
  const { layer, runner, packages } = await buildRootfs({ ...options, flavour, work });
  const date = sourceDate();
  const others = [
    { name: "firerunner-agent", version },
    { name: runner.kind === "embedded" ? "firerunner-embedded-runner" : runner.kind, version: runner.version },
  ];
  const labels = labelled("rootfs", flavour, version, {
    "firerunner.flavour": flavour,
    "firerunner.runner": runner.kind,
    "firerunner.runner-version": runner.version,
  });
  return store.add({
    name: flavour,
    layer,
    arch: "amd64",
    date,
    labels,
    sbom: cycloneDx({ name: flavour, version, date, packages, others }),
  });
}
