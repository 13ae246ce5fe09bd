import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { FireRunnerError } from "../model/errors.js";
import { runTool } from "./run-tool.js";

/** What a new image is made of. */
export interface NewImage {
  /** Its name in the store, such as `shell`. */
  readonly name: string;
  /** An uncompressed archive with everything in it. */
  readonly layer: string;
  readonly arch: "amd64" | "arm64";
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
const descriptor = z.object({ digest: z.string(), size: z.number() });
const indexSchema = z.object({
  manifests: z.array(descriptor.extend({ annotations: z.record(z.string(), z.string()).default({}) })),
});
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor) });
const configSchema = z.object({
  architecture: z.string(),
  created: z.string().default(""),
  config: z.object({ Labels: z.record(z.string(), z.string()).default({}) }).default({ Labels: {} }),
});

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
  async add({ name, layer, arch, labels, date, sbom }: NewImage): Promise<StoredImage> {
    await mkdir(this.directory, { recursive: true });
    if (!(await exists(join(this.layout, "oci-layout")))) await umoci("init", "--layout", this.layout);
    // Whoever boots or pushes it meanwhile finds the one before: the name moves at the end, in one step.
    const image = `${this.layout}:${name}.unfinished`;
    const created = new Date(date * 1000).toISOString();
    await umoci("new", "--image", image);
    await umoci("raw", "add-layer", "--image", image, "--no-history", layer);
    const given = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const labelled = given.flatMap(([key, value]) => ["--config.label", `${key}=${value}`]);
    const settings = ["--no-history", "--created", created, "--architecture", arch, "--os", "linux", ...labelled];
    await umoci("config", "--image", image, "--tag", name, ...settings);
    await umoci("rm", "--image", image);
    await umoci("gc", "--layout", this.layout);
    await writeFile(this.sbomFile(name), sbom);
    const stored = await this.find(name);
    if (stored === undefined) throw new FireRunnerError("FR-INTERNAL", `the image ${name} that was written to ${this.layout} is not there`);
    return stored;
  }

  /** All images, by name. */
  async list(): Promise<readonly StoredImage[]> {
    if (!(await exists(join(this.layout, "index.json")))) return [];
    const { manifests } = indexSchema.parse(await readJson(join(this.layout, "index.json")));
    const images = await Promise.all(
      manifests.map(async ({ digest, annotations }): Promise<StoredImage> => {
        const manifest = manifestSchema.parse(await readJson(this.blob(digest)));
        const { architecture: arch, created, config } = configSchema.parse(await readJson(this.blob(manifest.config.digest)));
        const sizeBytes = manifest.layers.reduce((sum, { size }) => sum + size, 0);
        return { name: annotations["org.opencontainers.image.ref.name"] ?? "", digest, sizeBytes, arch, created, labels: config.Labels };
      }),
    );
    return images.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async find(name: string): Promise<StoredImage | undefined> {
    return (await this.list()).find((image) => image.name === name);
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
