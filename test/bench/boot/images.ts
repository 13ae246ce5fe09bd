import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GuestImages, localReference } from "../../../reconciler/embedded/host/guest-images.js";
import { buildImage, type ImageName } from "../../../reconciler/images/build-image.js";
import { ImageStore } from "../../../reconciler/images/image-store.js";

/** What is built for the bench and kept for its next run. */
export const cache = fileURLToPath(new URL("../../../.cache/bench", import.meta.url));

const programs = ["qemu-system-x86_64", "qemu-img", "mmdebstrap", "skopeo", "umoci", "mke2fs", "unshare", "apt-get"];

/** Why nothing can be booted on this machine; undefined when it can. */
export function lacking(): string | undefined {
  const folders = (process.env.PATH ?? "").split(":");
  const missing = programs.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
  if (process.getuid?.() !== 0) missing.push("root's rights");
  return missing.length === 0 ? undefined : missing.join(", ");
}

/** The images of this checkout, which are built when they are not there yet, as files that QEMU takes. */
export interface OwnImages {
  /** A kernel that has no modules and needs no initial RAM disk. */
  readonly kernel: string;
  /** A root file system as a disk, never written to. */
  readonly disk: (name: "shell" | "cloud-init") => Promise<string>;
  /** A name for what a root file system holds, for what is derived of it. */
  readonly digestOf: (name: "shell" | "cloud-init") => Promise<string>;
  readonly layout: string;
}

export async function ownImages(): Promise<OwnImages> {
  const store = new ImageStore(fileURLToPath(new URL("../../../.cache/images", import.meta.url)));
  const built = async (name: ImageName) => {
    const say = (line: string) => void process.stderr.write(`${line}\n`);
    return (await store.find(name)) ?? (await buildImage(name, { store, version: "0.0.0", say }));
  };
  const images = new GuestImages({ directory: join(cache, "pulled"), layout: store.layout });
  const reference = async (name: ImageName) => {
    await built(name);
    return localReference(name);
  };
  return {
    kernel: await images.kernel(await reference("kernel-minimal"), "boot/vmlinux"),
    disk: async (name) => images.disk(await reference(name)),
    digestOf: async (name) => (await built(name)).digest,
    layout: store.layout,
  };
}
