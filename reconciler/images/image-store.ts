import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { FireRunnerError } from "../model/errors.js";
import { runTool } from "./run-tool.js";
import { withLock } from "./with-lock.js";

/** What a new image is made of. */
export interface NewImage {
  /** Its name in the store, such as `shell`. */
  readonly name: string;
  /** An uncompressed archive with everything in it. */
  readonly layer: string;
  readonly arch: Architecture;
  readonly labels: Readonly<Record<string, string>>;
  /** Seconds since 1970. */
  readonly date: number;
  /** The bill of materials, as text. */
  readonly sbom: string;
}

/** An image of the store. */
export interface StoredImage {
  readonly name: string;
  readonly digest: string;
  /** Bytes of its layers as they are pushed and pulled. */
  readonly sizeBytes: number;
  readonly arch: string;
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
}

const limitMs = 10 * 60_000;
/** How the name of an image ends that is being written; what a killed process leaves so, the next to write takes away. */
const unfinished = ".unfinished";
const descriptor = z.object({ digest: z.string(), size: z.number() });
const indexSchema = z.object({
  // An empty one has null.
  manifests: z
    .array(descriptor.extend({ annotations: z.record(z.string(), z.string()).default({}) }))
    .nullable()
    .transform((all) => all ?? []),
});
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor) });
const configSchema = z.object({
  architecture: z.string(),
  created: z.string().default(""),
  config: z.object({ Labels: z.record(z.string(), z.string()).default({}) }).default({ Labels: {} }),
});

/** The architectures that images are of. */
export const architectures = ["amd64", "arm64"] as const;
export type Architecture = (typeof architectures)[number];

/** What an image of an architecture is called in the store. */
export const storedName = (name: string, arch: Architecture): string => (arch === "amd64" ? name : `${name}-${arch}`);

/** Where images are kept that were built here: `firerunner/images` in the user's cache directory (XDG base directories). */
export function imagesDirectory(env: Readonly<Record<string, string | undefined>>): string {
  return env.FIRERUNNER_IMAGES || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "firerunner", "images");
}

/** Images that were built on this machine: an OCI layout, which any tool for images reads, and a bill of materials beside each. */
export class ImageStore {
  readonly directory: string;

  constructor(directory: string) {
    // Builds run elsewhere.
    this.directory = resolve(directory);
  }

  get layout(): string {
    return join(this.directory, "layout");
  }

  sbomFile(name: string): string {
    return join(this.directory, `${name}.cdx.json`);
  }

  /** Writes an image of one layer; one of the same name is replaced. The same content gives the same digest. */
  add(image: NewImage): Promise<StoredImage> {
    // The tools read the layout's index and write it again, and clear away what stands in no index.
    return withLock(join(this.directory, "layout.lock"), { limitMs, onWait: () => undefined }, () => this.write(image));
  }

  private async write({ name, layer, arch, labels, date, sbom }: NewImage): Promise<StoredImage> {
    if (!(await exists(join(this.layout, "oci-layout")))) await umoci("init", "--layout", this.layout);
    // Whoever boots or pushes it meanwhile finds the one before: the name moves at the end, in one step.
    for (const each of await this.named()) if (each.name.endsWith(unfinished)) await umoci("rm", "--image", `${this.layout}:${each.name}`);
    const image = `${this.layout}:${name}${unfinished}`;
    const created = new Date(date * 1000).toISOString();
    await writeFile(`${this.sbomFile(name)}.new`, sbom);
    await umoci("new", "--image", image);
    await umoci("raw", "add-layer", "--image", image, "--no-history", layer);
    const given = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const labelled = given.flatMap(([key, value]) => ["--config.label", `${key}=${value}`]);
    const settings = ["--no-history", "--created", created, "--architecture", arch, "--os", "linux", ...labelled];
    await umoci("config", "--image", image, "--tag", name, ...settings);
    await rename(`${this.sbomFile(name)}.new`, this.sbomFile(name));
    await umoci("rm", "--image", image);
    await umoci("gc", "--layout", this.layout);
    const stored = await this.find(name);
    if (stored === undefined) throw new FireRunnerError("FR-INTERNAL", `the image ${name} that was written to ${this.layout} is not there`);
    return stored;
  }

  /** All images, by name. */
  async list(): Promise<readonly StoredImage[]> {
    const finished = (await this.named()).filter(({ name }) => !name.endsWith(unfinished));
    const images = await Promise.all(
      finished.map(async ({ name, digest }): Promise<StoredImage> => {
        const manifest = manifestSchema.parse(await readJson(this.blob(digest)));
        const { architecture: arch, created, config } = configSchema.parse(await readJson(this.blob(manifest.config.digest)));
        const sizeBytes = manifest.layers.reduce((sum, { size }) => sum + size, 0);
        return { name, digest, sizeBytes, arch, created, labels: config.Labels };
      }),
    );
    return images.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async find(name: string): Promise<StoredImage | undefined> {
    return (await this.list()).find((image) => image.name === name);
  }

  /** What stands in the layout's index. */
  private async named(): Promise<readonly { readonly name: string; readonly digest: string }[]> {
    if (!(await exists(join(this.layout, "index.json")))) return [];
    const { manifests } = indexSchema.parse(await readJson(join(this.layout, "index.json")));
    return manifests.map(({ digest, annotations }) => ({ digest, name: annotations["org.opencontainers.image.ref.name"] ?? "" }));
  }

  private blob(digest: string): string {
    return join(this.layout, "blobs", ...digest.split(":"));
  }
}

const umoci = (...args: readonly string[]) => runTool("umoci", args, { limitMs });

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", `reading ${path}`);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
