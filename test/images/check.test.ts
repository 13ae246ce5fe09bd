import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkImages } from "../../reconciler/images/check-image.js";
import { ImageStore } from "../../reconciler/images/image-store.js";
import { readKernelOptions } from "../../reconciler/images/kernel-options.js";
import { recipe } from "../../reconciler/images/recipes.js";
import { runTool } from "../../reconciler/images/run-tool.js";
import { describeImages } from "./images-world.fixture.js";

/** The first bytes of an ELF file for a machine: 62 is amd64, 183 arm64. */
function elf(machine: number): Buffer {
  const head = Buffer.alloc(64);
  head.write("\u007fELF", "latin1");
  head.writeUInt16LE(machine, 18);
  return head;
}

/** As a kernel with IKCONFIG holds its configuration. */
const embedded = (config: string): Buffer => Buffer.concat([Buffer.from("IKCFG_ST"), gzipSync(config), Buffer.from("IKCFG_ED")]);
const config = readFileSync(recipe("kernel/minimal.config"), "utf8");
const without = (...names: readonly string[]): string =>
  config
    .split("\n")
    .filter((line) => !names.some((name) => line === `CONFIG_${name}=y`))
    .join("\n");

const wholeRoot = ["usr/sbin/init", "usr/bin/sh", "usr/lib/firerunner/firerunner-agent", "usr/local/bin/fr-runner"];

describeImages("an image check, before any microVM is made", () => {
  let folder = "";
  let store: ImageStore;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "firerunner-check-test-"));
    store = new ImageStore(join(folder, "store"));
    await add("kernel", { "boot/vmlinux": Buffer.concat([elf(62), embedded(config)]) });
    await add("root", Object.fromEntries(wholeRoot.map((path) => [path, Buffer.from("x")])));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function add(name: string, files: Readonly<Record<string, Buffer>>, arch: "amd64" | "arm64" = "amd64"): Promise<void> {
    const tree = join(folder, name);
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), content);
    }
    const layer = join(folder, `${name}.tar`);
    await runTool("tar", ["-cf", layer, "-C", tree, "."], { limitMs: 30_000 });
    await store.add({ name, layer, arch, labels: {}, date: 0, sbom: "{}" });
  }

  const check = (kernel: string, rootfs: string, filename = "boot/vmlinux") =>
    checkImages(store, { kernel, rootfs, filename, arch: "amd64", bootstrap: "agent" });

  it("finds nothing wrong with what boots", async () => {
    expect(await check("kernel", "root")).toEqual({ faults: [], notes: [] });
  });

  it("finds a missing kernel file, one that is no kernel, and one for another machine", async () => {
    expect((await check("kernel", "root", "vmlinux")).faults).toEqual([expect.stringContaining("has no file vmlinux")]);
    await add("compressed", { "boot/vmlinux": Buffer.from("MZ compressed") });
    expect((await check("compressed", "root")).faults).toEqual([expect.stringContaining("is no ELF file")]);
    await add("arm", { "boot/vmlinux": Buffer.concat([elf(183), embedded(config)]) });
    expect((await check("arm", "root")).faults).toEqual([expect.stringContaining("is for another machine (ELF 183), not amd64")]);
  });

  it("finds an option that a kernel lacks or has as a module, with what it is for, and says when it cannot look", async () => {
    const lacking = `${without("VIRTIO_BLK", "EXT4_FS")}\nCONFIG_EXT4_FS=m\n`;
    await add("lacking", { "boot/vmlinux": Buffer.concat([elf(62), embedded(lacking)]) });
    expect((await check("lacking", "root")).faults).toEqual([
      expect.stringMatching(/CONFIG_VIRTIO_BLK is missing: the root file system is on a virtio disk/),
      expect.stringMatching(/CONFIG_EXT4_FS is a module/),
    ]);
    await add("beside", { "boot/vmlinux": elf(62), "boot/config": Buffer.from(without("VIRTIO_NET")) });
    expect((await check("beside", "root")).faults).toEqual([expect.stringContaining("CONFIG_VIRTIO_NET is missing")]);
    await add("silent", { "boot/vmlinux": elf(62) });
    expect(await check("silent", "root")).toEqual({ faults: [], notes: [expect.stringContaining("its options were not checked")] });
    expect(readKernelOptions(lacking).get("EXT4_FS")).toBe("m");
  });

  it("finds a root without agent, runner, init or shell, and one for another architecture", async () => {
    await add("bare", { "etc/hostname": Buffer.from("x") }, "arm64");
    const { faults } = await check("kernel", "bare");
    for (const what of ["is for arm64, not amd64", "has no init", "has no shell", "has no firerunner-agent", "has no runner"]) {
      expect(faults.join("\n")).toContain(what);
    }
  });

  it("finds what an image lacks into which cloud-init is to bring the agent", async () => {
    const cloud = ["usr/sbin/init", "usr/bin/sh", "usr/bin/cloud-init", "usr/lib/systemd/systemd", "usr/bin/curl", "usr/bin/gitlab-runner"];
    await add("cloud", Object.fromEntries(cloud.map((path) => [path, Buffer.from("x")])));
    const checkCloud = (rootfs: string) =>
      checkImages(store, { kernel: "kernel", rootfs, filename: "boot/vmlinux", arch: "amd64", bootstrap: "cloud-init" });
    expect((await checkCloud("cloud")).faults).toEqual([]);
    const { faults } = await checkCloud("bare");
    for (const what of ["has no cloud-init", "has no systemd", "has no curl", "has no runner"]) expect(faults.join("\n")).toContain(what);
  });

  it("sees a file that a higher layer has taken away as gone", async () => {
    const name = "hidden";
    await add(name, Object.fromEntries(wholeRoot.map((path) => [path, Buffer.from("x")])));
    const upper = join(folder, "upper");
    mkdirSync(join(upper, "usr/lib/firerunner"), { recursive: true });
    writeFileSync(join(upper, "usr/lib/firerunner/.wh.firerunner-agent"), "");
    await runTool("tar", ["-cf", join(folder, "upper.tar"), "-C", upper, "."], { limitMs: 30_000 });
    await runTool("umoci", ["raw", "add-layer", "--image", `${store.layout}:${name}`, join(folder, "upper.tar")], { limitMs: 30_000 });
    expect((await check("kernel", name)).faults).toEqual([expect.stringContaining("has no firerunner-agent")]);
  });

  it("an image that is written again is never seen half-written under its name", async () => {
    const known = (await store.find("root"))?.digest;
    const seen = new Set<string | undefined>();
    let isWritten = false;
    const writing = store
      .add({ name: "root", layer: join(folder, "root.tar"), arch: "amd64", labels: {}, date: 0, sbom: "{}" })
      .finally(() => {
        isWritten = true;
      });
    while (!isWritten) {
      const { manifests } = JSON.parse(readFileSync(join(store.layout, "index.json"), "utf8"));
      const named = manifests.find(({ annotations }: { annotations: object }) => Object.values(annotations).includes("root"));
      seen.add(named?.digest);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
    expect([...seen]).toEqual([known]);
    expect((await store.list()).map(({ name }) => name)).not.toContain("root.unfinished");
  });

  it("the same content gives the same digest, whenever it is written", async () => {
    const first = await store.find("root");
    copyFileSync(join(folder, "root.tar"), join(folder, "again.tar"));
    const again = new ImageStore(join(folder, "again"));
    const second = await again.add({ name: "root", layer: join(folder, "again.tar"), arch: "amd64", labels: {}, date: 0, sbom: "{}" });
    expect(second.digest).toBe(first?.digest);
  });
});
