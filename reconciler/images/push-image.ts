import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FireRunnerError } from "../model/errors.js";
import { imageSource } from "./image-source.js";
import type { ImageStore } from "./image-store.js";
import { runTool } from "./run-tool.js";

const limitMs = 30 * 60_000;

/**
 * Pushes a built image to a registry, with the credentials of `skopeo login` or `docker login`; resolves to its reference by
 * digest, which is what a fleet should name. A registry on loopback may speak plain HTTP.
 */
export async function pushImage(store: ImageStore, name: string, reference: string): Promise<string> {
  if ((await store.find(name)) === undefined) {
    throw new FireRunnerError(
      "FR-NOT-FOUND",
      `no image "${name}" was built in ${store.directory}; build it first: firerunner image build ${name}`,
    );
  }
  const { address, flags } = imageSource(reference);
  const folder = await mkdtemp(join(tmpdir(), "firerunner-push-"));
  try {
    const digestFile = join(folder, "digest");
    const to = flags.map((flag) => flag.replace("--src-", "--dest-"));
    const how = ["--quiet", "--preserve-digests", "--digestfile", digestFile];
    await runTool("skopeo", ["copy", ...how, ...to, `oci:${store.layout}:${name}`, address], { limitMs });
    const digest = (await readFile(digestFile, "utf8")).trim();
    return `${reference.replace(/:[^/:]+$/, "")}@${digest}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
