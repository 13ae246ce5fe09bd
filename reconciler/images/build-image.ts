import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { FireRunnerError } from "../model/errors.js";
import { buildKernel, type KernelVariant, kernelVariants } from "./build-kernel.js";
import { buildRootfs, type RootfsBuildOptions, type RootfsFlavour, rootfsFlavours } from "./build-rootfs.js";
import type { ImageStore, StoredImage } from "./image-store.js";
import { runTool } from "./run-tool.js";
import { cycloneDx } from "./sbom.js";
import { sourceDate } from "./source-date.js";

/** The images that can be built: kernels as `kernel-<variant>`, root file systems by their flavour. */
export const imageNames = [...kernelVariants.map((variant) => `kernel-${variant}` as const), ...rootfsFlavours];
export type ImageName = (typeof imageNames)[number];

export interface ImageBuildOptions extends Pick<RootfsBuildOptions, "mirror" | "gitlabRunner" | "say"> {
  readonly store: ImageStore;
  /** FireRunner's own version, for the label. */
  readonly version: string;
  /** The kernel's sources, when they are not Debian's package in its usual place. */
  readonly kernelSource?: string;
}

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

/** Builds an image into the store. The same inputs give the same digest. */
export async function buildImage(name: ImageName, options: ImageBuildOptions): Promise<StoredImage> {
  const variant = kernelVariants.find((each) => name === `kernel-${each}`);
  const flavour = rootfsFlavours.find((each) => name === each);
  await mkdir(options.store.directory, { recursive: true });
  const work = await mkdtemp(join(options.store.directory, "build-"));
  try {
    if (variant !== undefined) return await buildKernelImage(name, variant, work, options);
    if (flavour !== undefined) return await buildRootfsImage(flavour, work, options);
    throw new FireRunnerError("FR-INTERNAL", `there is no recipe for ${name}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function buildKernelImage(name: ImageName, variant: KernelVariant, work: string, options: ImageBuildOptions): Promise<StoredImage> {
  const { store, say, version, kernelSource } = options;
  const built = await buildKernel({
    variant,
    cache: store.directory,
    say,
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
  return store.add({ name, layer, arch: "amd64", date, sbom, labels });
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
