import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configureKernel, kernelVariants } from "../../reconciler/images/build-kernel.js";
import { checkImages } from "../../reconciler/images/check-image.js";
import { type Architecture, architectures, ImageStore, storedName } from "../../reconciler/images/image-store.js";
import { pushIndex } from "../../reconciler/images/push-image.js";
import { recipe } from "../../reconciler/images/recipes.js";
import { runTool } from "../../reconciler/images/run-tool.js";
import { describeImages } from "./images-world.fixture.js";
import { type Registry, startRegistry } from "./registry.fixture.js";

const lacks = (command: string) => spawnSync(command, ["--version"], { stdio: "ignore" }).status !== 0;

describeImages("several architectures", () => {
  let folder = "";
  let registry: Registry;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "firerunner-index-"));
    registry = await startRegistry(folder);
  });
  afterAll(async () => {
    await registry.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  describe.skipIf(lacks("buildah"))("with buildah", () => {
    /** Adds an image of some files. */
    async function add(store: ImageStore, name: string, arch: Architecture, files: Readonly<Record<string, string>>): Promise<void> {
      const tree = join(folder, `${name}-${arch}`);
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(tree, path)), { recursive: true });
        writeFileSync(join(tree, path), text);
      }
      const layer = `${tree}.tar`;
      await runTool("tar", ["-cf", layer, "-C", tree, "."], { limitMs: 30_000 });
      await store.add({ name: storedName(name, arch), layer, arch, labels: {}, date: 0, sbom: "{}" });
    }

    it("an index names the image of each that was built, and everybody finds their own", async () => {
      const store = new ImageStore(join(folder, "store"));
      const options = (name: string) => readFileSync(recipe(`kernel/${name}.config`), "utf8");
      const root = ["usr/sbin/init", "usr/bin/sh", "usr/bin/firerunner-agent", "usr/bin/gitlab-runner"];
      for (const arch of architectures) {
        await add(store, "kernel", arch, {
          "boot/vmlinux": `MZ ${arch}`,
          "boot/config": arch === "amd64" ? options("minimal") : options("minimal") + options("arm64"),
        });
        await add(store, "root", arch, Object.fromEntries(root.map((path) => [path, arch])));
      }
      const kernel = await pushIndex(store, "kernel", `${registry.address}/firerunner/kernel:6.1`);
      expect(await pushIndex(store, "kernel", `${registry.address}/firerunner/kernel:again`)).toBe(kernel);
      const rootfs = await pushIndex(store, "root", `${registry.address}/firerunner/root:1`);
      const raw = execFileSync("skopeo", ["inspect", "--raw", "--tls-verify=false", `docker://${kernel}`]).toString();
      const { mediaType, manifests } = JSON.parse(raw);
      expect(mediaType ?? "application/vnd.oci.image.index.v1+json").toBe("application/vnd.oci.image.index.v1+json");
      const built = await Promise.all(architectures.map(async (arch) => (await store.find(storedName("kernel", arch)))?.digest));
      const named = manifests.map(({ digest, platform }: { digest: string; platform: { architecture: string } }) => [
        platform.architecture,
        digest,
      ]);
      expect(Object.fromEntries(named)).toEqual(Object.fromEntries(architectures.map((arch, n) => [arch, built[n]])));

      const check = (arch: Architecture) => checkImages(store, { kernel, rootfs, filename: "boot/vmlinux", arch, bootstrap: "agent" });
      expect((await check("arm64")).faults).toEqual([]);
      expect((await check("amd64")).faults).toEqual([expect.stringContaining("is no ELF file")]);
    });
  });

  describe.skipIf(lacks("aarch64-linux-gnu-gcc-12"))("with a compiler for arm64", () => {
    it.each(kernelVariants)("the kernel %s has every option there that is asked for", async (variant) => {
      const work = mkdtempSync(join(folder, "work-"));
      const tree = await configureKernel({ variant, arch: "arm64", work });
      expect(readFileSync(join(tree, ".config"), "utf8")).toContain("CONFIG_ARM64=y");
      rmSync(work, { recursive: true });
    });
  });
});
