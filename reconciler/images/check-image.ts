import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { imageSource } from "./image-source.js";
import type { ImageStore } from "./image-store.js";
import { lackingOptions, readKernelOptions } from "./kernel-options.js";
import { runTool } from "./run-tool.js";

/** What is to be checked: images by reference, or by the name of one that was built here. */
export interface CheckedImages {
  readonly kernel: string;
  readonly rootfs: string;
  /** The kernel's file in its image. */
  readonly filename: string;
  readonly arch: "amd64" | "arm64";
  readonly bootstrap: "agent" | "cloud-init";
}

export interface ImageVerdict {
  /** Why a microVM would not boot to a claim; none when it should. */
  readonly faults: readonly string[];
  /** What could not be looked at. */
  readonly notes: readonly string[];
}

const limitMs = 15 * 60_000;
const machines = { amd64: 62, arm64: 183 } as const;
const manifestSchema = z.object({ config: z.object({ digest: z.string() }), layers: z.array(z.object({ digest: z.string() })) });
const indexSchema = z.object({ manifests: z.tuple([z.object({ digest: z.string() })]) });
const configSchema = z.object({ architecture: z.string() });

/** Looks for all that keeps a microVM of a kernel and a root file system from its claim. Nothing is booted. */
export async function checkImages(store: ImageStore, checked: CheckedImages): Promise<ImageVerdict> {
  const folder = await mkdtemp(join(tmpdir(), "firerunner-check-"));
  try {
    const kernel = await fetchImage(store, checked.kernel, join(folder, "kernel"), checked.arch);
    const rootfs = await fetchImage(store, checked.rootfs, join(folder, "rootfs"), checked.arch);
    const verdicts = [await checkKernel(kernel, checked), await checkRootfs(rootfs, checked)];
    return { faults: verdicts.flatMap(({ faults }) => faults), notes: verdicts.flatMap(({ notes }) => notes) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface FetchedImage {
  readonly reference: string;
  readonly arch: string;
  /** Its layers' archives, the lowest first. */
  readonly layers: readonly string[];
}

async function fetchImage(store: ImageStore, reference: string, folder: string, arch: string): Promise<FetchedImage> {
  const isBuilt = (await store.find(reference)) !== undefined;
  const { address, flags } = isBuilt ? { address: `oci:${store.layout}:${reference}`, flags: [] } : imageSource(reference);
  await runTool("skopeo", ["copy", "--quiet", "--override-arch", arch, "--override-os", "linux", ...flags, address, `oci:${folder}`], {
    limitMs,
  });
  const blob = (digest: string) => join(folder, "blobs", ...digest.split(":"));
  const json = async (file: string): Promise<unknown> => JSON.parse(await readFile(file, "utf8"));
  const index = indexSchema.parse(await json(join(folder, "index.json")));
  const { config, layers } = manifestSchema.parse(await json(blob(index.manifests[0].digest)));
  const { architecture } = configSchema.parse(await json(blob(config.digest)));
  return { reference, arch: architecture, layers: layers.map(({ digest }) => blob(digest)) };
}

async function checkKernel(image: FetchedImage, { arch, filename }: CheckedImages): Promise<ImageVerdict> {
  const what = `kernel ${image.reference}`;
  const path = filename.replace(/^\/+/, "");
  const kernel = await extract(image, path);
  if (kernel === undefined) return { faults: [`${what}: has no file ${path}; the host would start a VMM that ends at once`], notes: [] };
  const machine = elfMachine(kernel);
  if (arch === "amd64" && machine === undefined) {
    return { faults: [`${what}: ${path} is no ELF file: Firecracker boots an uncompressed vmlinux`], notes: [] };
  }
  const faults: string[] = [];
  if (machine !== undefined && machine !== machines[arch])
    faults.push(`${what}: ${path} is for another machine (ELF ${machine}), not ${arch}`);
  const config = readConfig(kernel) ?? (await extract(image, "boot/config"))?.toString();
  if (config === undefined) {
    return {
      faults,
      notes: [`${what}: its configuration is neither in it (CONFIG_IKCONFIG) nor at boot/config: its options were not checked`],
    };
  }
  for (const { name, reason, found } of lackingOptions(readKernelOptions(config), arch)) {
    const state = found === "module" ? "is a module, and nothing loads it before the root is mounted" : "is missing";
    faults.push(`${what}: CONFIG_${name} ${state}: ${reason}`);
  }
  return { faults, notes: [] };
}

async function checkRootfs(image: FetchedImage, { arch, bootstrap }: CheckedImages): Promise<ImageVerdict> {
  const what = `root file system ${image.reference}`;
  const faults = image.arch === arch ? [] : [`${what}: is for ${image.arch}, not ${arch}`];
  const files = await listFiles(image);
  const lacks = (paths: readonly string[]) => !paths.some((path) => files.has(path));
  if (lacks(["sbin/init", "usr/sbin/init", "etc/init", "bin/init", "usr/bin/init"]))
    faults.push(`${what}: has no init (/sbin/init): the kernel would panic`);
  if (lacks(["bin/sh", "usr/bin/sh"])) faults.push(`${what}: has no shell (/bin/sh), which init and the agent need`);
  if (bootstrap === "cloud-init") {
    if (lacks(["usr/bin/cloud-init"])) faults.push(`${what}: has no cloud-init, which is to bring the agent`);
    if (lacks(["lib/systemd/systemd", "usr/lib/systemd/systemd"])) faults.push(`${what}: has no systemd, which is to run the agent`);
    if (lacks(["usr/bin/curl"])) faults.push(`${what}: has no curl, by which the agent speaks with the reconciler`);
  } else if (lacks(["usr/lib/firerunner/firerunner-agent", "usr/local/bin/firerunner-agent", "usr/bin/firerunner-agent"])) {
    faults.push(`${what}: has no firerunner-agent: its microVMs would never claim`);
  }
  if (lacks(["usr/bin/gitlab-runner", "usr/local/bin/gitlab-runner", "usr/local/bin/fr-runner"])) {
    faults.push(`${what}: has no runner (gitlab-runner, or fr-runner): its microVMs would claim and run no job`);
  }
  return { faults, notes: [] };
}

/** The paths in an image, without the leading `./`. */
async function listFiles({ layers }: FetchedImage): Promise<ReadonlySet<string>> {
  const files = new Set<string>();
  for (const layer of layers) {
    const listed = (await runTool("tar", ["-tf", layer], { limitMs })).toString().split("\n");
    for (const path of listed.map((each) => each.replace(/^\.?\//, ""))) {
      const hidden = /^(.*\/)?\.wh\.([^/]+)$/.exec(path);
      if (hidden === null) files.add(path);
      else files.delete(`${hidden[1] ?? ""}${hidden[2] ?? ""}`);
    }
  }
  return files;
}

/** A file of an image as its highest layer has it. */
async function extract(image: FetchedImage, path: string): Promise<Buffer | undefined> {
  for (const layer of image.layers.toReversed()) {
    const listed = (await runTool("tar", ["-tf", layer], { limitMs })).toString().split("\n");
    const entry = listed.find((each) => each.replace(/^\.?\//, "") === path);
    if (entry !== undefined) return runTool("tar", ["-xOf", layer, entry], { limitMs });
  }
  return undefined;
}

/** The machine of an ELF file; undefined for what is none. */
function elfMachine(file: Buffer): number | undefined {
  return file.length > 20 && file.subarray(0, 4).equals(Buffer.from("\u007fELF", "latin1")) ? file.readUInt16LE(18) : undefined;
}

/** The configuration that a kernel with IKCONFIG holds, packed between two marks. */
function readConfig(kernel: Buffer): string | undefined {
  const begin = kernel.indexOf("IKCFG_ST");
  const end = kernel.indexOf("IKCFG_ED");
  if (begin < 0 || end < begin) return undefined;
  try {
    return gunzipSync(kernel.subarray(begin + 8, end)).toString();
  } catch {
    return undefined;
  }
}
