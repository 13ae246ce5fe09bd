import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chooseDrivers, type Machine } from "./vm-drivers.js";

const tools = ["skopeo", "umoci", "mke2fs", "ip", "unshare", "nsenter"];
const qemu = ["qemu-system-x86_64", "qemu-img"];
const kvm = () => ({ cpuFlags: new Set(["vmx"]), canOpen: true });
const noKvm = () => ({ cpuFlags: new Set<string>(), canOpen: false });

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "firerunner-drivers-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A machine with these programs, and with images that were built or not. */
function machine(programs: readonly string[], built: readonly string[], change: Partial<Machine> = {}): Machine {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  for (const program of programs) writeFileSync(join(bin, program), "");
  writeImages(built);
  return { env: { PATH: bin, FIRERUNNER_IMAGES: join(folder, "images") }, isRoot: true, kvm: noKvm, ...change };
}

/** As much of an OCI layout as names them. */
function writeImages(names: readonly string[]): void {
  const blobs = join(folder, "images", "layout", "blobs", "sha256");
  mkdirSync(blobs, { recursive: true });
  const write = (digest: string, content: unknown) => writeFileSync(join(blobs, digest), JSON.stringify(content));
  write("config", { architecture: "amd64" });
  write("manifest", { config: { digest: "sha256:config", size: 1 }, layers: [] });
  const manifests = names.map((name) => ({
    digest: "sha256:manifest",
    size: 1,
    annotations: { "org.opencontainers.image.ref.name": name },
  }));
  writeFileSync(join(folder, "images", "layout", "index.json"), JSON.stringify({ manifests }));
}

const all = ["kernel-minimal", "shell"];

describe("auto takes the best that a machine has what is needed for, and says why", () => {
  it.each([
    [
      "Firecracker with KVM",
      () => machine([...tools, ...qemu, "firecracker"], all, { kvm }),
      "firecracker",
      /bin\/firecracker, KVM and the images are here/,
    ],
    ["Firecracker without KVM", () => machine([...tools, ...qemu, "firecracker"], all), "qemu", /by translation, for want of KVM/],
    ["QEMU with KVM", () => machine([...tools, ...qemu], all, { kvm }), "qemu", /with KVM/],
    [
      "no images",
      () => machine([...tools, ...qemu], []),
      "process",
      /lacks the image kernel-minimal \(firerunner image build kernel-minimal\), the image shell/,
    ],
    ["no programs", () => machine([], all), "process", /lacks skopeo, umoci, mke2fs, qemu-system-x86_64, qemu-img$/],
    [
      "another user than root",
      () => machine([...tools, ...qemu, "firecracker"], all, { kvm, isRoot: false }),
      "process",
      /lacks root's rights$/,
    ],
  ])("%s", async (_, given, kind, why) => {
    const chosen = await chooseDrivers("auto", given());
    expect(chosen.drivers.kind).toBe(kind);
    expect(chosen.why).toMatch(why);
  });
});

it("what is asked for by name is taken, or refused with what is missing", async () => {
  const full = machine([...tools, ...qemu, "firecracker"], all, { kvm });
  for (const kind of ["process", "qemu", "firecracker"]) expect((await chooseDrivers(kind, full)).drivers.kind).toBe(kind);
  await expect(chooseDrivers("firecracker", { ...full, kvm: noKvm })).rejects.toThrow("--driver firecracker: this machine lacks KVM");
  await expect(chooseDrivers("qemu", { ...full, isRoot: false })).rejects.toThrow("--driver qemu: this machine lacks root's rights");
  await expect(chooseDrivers("xen", full)).rejects.toThrow('"xen" is refused: must be auto, process, qemu or firecracker');
});
