import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FireRunnerError } from "../model/errors.js";
import { imageSource } from "./image-source.js";
import { architectures, type ImageStore, storedName } from "./image-store.js";
import { runTool } from "./run-tool.js";

const limitMs = 30 * 60_000;

/**
 * Pushes a built image to a registry, with the credentials of `skopeo login` or `docker login`; resolves to its reference by
 * digest, which is what a fleet should name. A registry on loopback may speak plain HTTP.
 */
export async function pushImage(store: ImageStore, name: string, reference: string): Promise<string> {
  if ((await store.find(name)) === undefined) throw notBuilt(store, name);
  const { address, flags } = imageSource(reference);
  return inFolder(async (folder) => {
    const digestFile = join(folder, "digest");
    const to = flags.map((flag) => flag.replace("--src-", "--dest-"));
    const how = ["--quiet", "--preserve-digests", "--digestfile", digestFile];
    await runTool("skopeo", ["copy", ...how, ...to, `oci:${store.layout}:${name}`, address], { limitMs });
    return byDigest(reference, await readFile(digestFile, "utf8"));
  });
}

/**
 * Pushes an index of all architectures that an image was built for, and these images with it: a host takes the one that is
 * its own. Otherwise as `pushImage`.
 */
export async function pushIndex(store: ImageStore, name: string, reference: string): Promise<string> {
  const built = new Set((await store.list()).map((image) => image.name));
  const names = architectures.map((arch) => storedName(name, arch)).filter((each) => built.has(each));
  if (names.length === 0) throw notBuilt(store, name);
  const { address, flags } = imageSource(reference);
  return inFolder(async (folder) => {
    // Nothing of this machine's own containers is touched.
    const buildah = (...args: readonly string[]) =>
      runTool("buildah", ["--root", join(folder, "root"), "--runroot", join(folder, "run"), "--storage-driver", "vfs", ...args], {
        limitMs,
      });
    await buildah("manifest", "create", "index");
    for (const each of names) await buildah("manifest", "add", "index", `oci:${store.layout}:${each}`);
    const digestFile = join(folder, "digest");
    const to = flags.map((flag) => flag.replace("--src-", "--"));
    await buildah("manifest", "push", "--all", "--quiet", "--format", "oci", "--digestfile", digestFile, ...to, "index", address);
    return byDigest(reference, await readFile(digestFile, "utf8"));
  });
}

const notBuilt = (store: ImageStore, name: string): FireRunnerError =>
  new FireRunnerError("FR-NOT-FOUND", `no image "${name}" was built in ${store.directory}; build it first: firerunner image build ${name}`);

const byDigest = (reference: string, digest: string): string => `${reference.replace(/:[^/:]+$/, "")}@${digest.trim()}`;

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "firerunner-push-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
