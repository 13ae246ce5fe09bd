import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { imageSource } from "../../images/image-source.js";
import { runTool } from "../../images/run-tool.js";
import { FireRunnerError } from "../../model/errors.js";

export interface GuestImagesOptions {
  /** Where pulled images are kept, by digest, for the next host as well. */
  readonly directory: string;
  /** An OCI layout on this machine: images named `firerunner.local/NAME:TAG` are taken from there. */
  readonly layout?: string;
}

const limitMs = 15 * 60_000;
/** What a root disk may grow to; it takes no more of the host's disk than is written. */
const diskSize = "8G";
/** How a microVM is asked to boot an image of the layout on this machine, whatever its tag. */
export const localReference = (name: string): string => `firerunner.local/${name}:built`;

const local = /^firerunner\.local\/([\w.-]+):\w+$/;

/**
 * The kernels and root disks that a host has of OCI images. Each is pulled once for a digest; the registry is asked for the
 * digest of a tag every time. Needs root, so that files have the owners of their image. Throws what the tools say when an image cannot be had.
 */
export class GuestImages {
  private readonly unpacking = new Map<string, Promise<string>>();

  constructor(private readonly options: GuestImagesOptions) {}

  /** The path of a kernel: a file of its image. */
  async kernel(reference: string, filename: string): Promise<string> {
    const folder = await this.unpacked(reference, "tree");
    const path = join(folder, filename);
    try {
      if ((await stat(path)).isFile() && path.startsWith(`${folder}/`)) return path;
    } catch {
      // Told below.
    }
    throw new FireRunnerError("FR-IMAGE-UNFIT", `the kernel image ${reference} has no file "${filename}"`);
  }

  /** The path of a file system made of an image. It is never written to: what a microVM changes goes elsewhere. */
  async disk(reference: string): Promise<string> {
    return join(await this.unpacked(reference, "disk"), "root.ext4");
  }

  /** A folder with what was made of an image; made once, however many ask. */
  private async unpacked(reference: string, as: "tree" | "disk"): Promise<string> {
    const source = this.source(reference);
    const digest = await digestOf(reference, source);
    const folder = join(this.options.directory, `${as}-${digest.replace("sha256:", "").slice(0, 32)}`);
    if (await exists(folder)) return folder;
    const made = this.unpacking.get(folder) ?? this.unpack(source, folder, as).finally(() => this.unpacking.delete(folder));
    this.unpacking.set(folder, made);
    return made;
  }

  private async unpack({ address, flags }: Source, folder: string, as: "tree" | "disk"): Promise<string> {
    await mkdir(this.options.directory, { recursive: true, mode: 0o700 });
    const work = await mkdtemp(`${folder}.`);
    try {
      const layout = join(work, "layout");
      const tree = join(work, "tree");
      await runTool("skopeo", ["copy", "--quiet", ...flags, address, `oci:${layout}:image`], { limitMs });
      await runTool("umoci", ["raw", "unpack", "--keep-dirlinks", "--image", `${layout}:image`, tree], { limitMs });
      await rm(layout, { recursive: true });
      if (as === "disk") await makeDisk(tree, work);
      // Complete or absent; a host beside this one may have been faster.
      await rename(as === "tree" ? tree : work, folder).catch(async (caught: unknown) => {
        if (!(await exists(folder))) throw caught;
      });
      return folder;
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  private source(reference: string): Source {
    const name = local.exec(reference)?.[1];
    if (name !== undefined && this.options.layout !== undefined) return { address: `oci:${this.options.layout}:${name}`, flags: [] };
    return imageSource(reference);
  }
}

type Source = ReturnType<typeof imageSource>;

async function digestOf(reference: string, { address, flags }: Source): Promise<string> {
  const pinned = /@(sha256:[0-9a-f]{64})$/.exec(reference)?.[1];
  if (pinned !== undefined) return pinned;
  const settings = flags.map((flag) => flag.replace("--src-", "--"));
  const answer = await runTool("skopeo", ["inspect", "--no-tags", "--format", "{{.Digest}}", ...settings, address], { limitMs });
  return answer.toString().trim();
}

async function makeDisk(tree: string, work: string): Promise<void> {
  const disk = join(work, "root.ext4");
  // No journal: a disk that ends with its microVM is never repaired.
  const features = ["-O", "^has_journal", "-E", "lazy_itable_init=0,root_owner=0:0", "-N", "400000", "-m", "0"];
  await runTool("mke2fs", ["-q", "-t", "ext4", ...features, "-d", tree, disk, diskSize], { limitMs });
  await rm(tree, { recursive: true });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
