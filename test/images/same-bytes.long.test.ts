import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { buildImage, type ImageName } from "../../reconciler/images/build-image.js";
import { ImageStore } from "../../reconciler/images/image-store.js";
import { describeImages } from "./images-world.fixture.js";

describeImages("two builds, with nothing shared between them", () => {
  const folder = mkdtempSync(join(tmpdir(), "firerunner-same-bytes-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const build = async (name: ImageName, store: string) => {
    const built = new ImageStore(join(folder, store));
    const { digest } = await buildImage(name, { store: built, version: "0.0.0", say: () => undefined });
    return { digest, sbom: readFileSync(built.sbomFile(name), "utf8") };
  };

  it.each(["shell", "docker", "cloud-init", "kernel-minimal"] as const)(
    "give the same digest of %s, and the same bill of materials",
    async (name) => {
      expect(await build(name, "one")).toEqual(await build(name, "another"));
    },
  );
});
