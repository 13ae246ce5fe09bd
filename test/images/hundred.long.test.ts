import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterAll, expect, it } from "vitest";
import { MicroVMSpecSchema, NetworkInterface_IfaceType } from "../../proto/gen/types/microvm_pb.js";
import { systemRandom } from "../../reconciler/control/random.js";
import type { VmDriver } from "../../reconciler/embedded/host/driver.js";
import { localReference } from "../../reconciler/embedded/host/guest-images.js";
import { keepSpec } from "../../reconciler/embedded/host/kept-spec.js";
import { createQemuDriver } from "../../reconciler/embedded/host/qemu-driver.js";
import { ulid } from "../../reconciler/embedded/host/ulid.js";
import { machineConsole } from "../../reconciler/embedded/host/vm-folder.js";
import { buildImage } from "../../reconciler/images/build-image.js";
import { until } from "../e2e/until.fixture.js";
import { describeImages, sharedStore } from "./images-world.fixture.js";
import { machineState } from "./machine-state.fixture.js";

const count = 100;

describeImages("a hundred microVMs, one after another", () => {
  let driver: VmDriver | undefined;
  const directory = mkdtempSync(join(tmpdir(), "firerunner-hundred-"));
  afterAll(async () => {
    await driver?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it("leave no process, device, mount, file or namespace", async () => {
    const store = sharedStore();
    const options = { store, version: "0.0.0", say: () => undefined };
    await buildImage("kernel-minimal", options);
    if ((await store.find("shell")) === undefined) await buildImage("shell", options);
    const before = machineState(directory);
    const folder = join(directory, "vms");
    const vms = createQemuDriver({
      directory: folder,
      images: { directory: join(directory, "pulled"), layout: store.layout },
      env: { FIRERUNNER_ACCELERATOR: "tcg" },
    });
    driver = vms;
    await vms.start();
    for (let n = 0; n < count; n += 1) {
      const uid = ulid(n, systemRandom);
      await vms.create({ uid, spec: keepSpec(spec(n), uid), metadata: {} });
      const said = () => readFileSync(machineConsole(folder).replace("{uid}", uid), "utf8");
      await until(`microVM ${n} runs its init`, () => said().includes("firerunner-init: init"), { deadlineMs: 120_000, tell: said });
      await vms.destroy(uid);
      expect(machineState(directory)).toEqual(before);
    }
    await vms.stop();
    driver = undefined;
    expect(machineState(directory)).toEqual(before);
  });
});

/** What a reconciler asks for. */
function spec(n: number) {
  return create(MicroVMSpecSchema, {
    id: `vm-${n}`,
    vcpu: 1,
    memoryInMb: 1024,
    kernel: { image: localReference("kernel-minimal"), filename: "boot/vmlinux", addNetworkConfig: true },
    rootVolume: { id: "root", source: { containerSource: localReference("shell") } },
    interfaces: [
      {
        deviceId: "eth1",
        type: NetworkInterface_IfaceType.TAP,
        guestMac: "02:00:00:00:00:05",
        address: { address: "10.77.0.5/24", gateway: "10.77.0.1/24", nameservers: [] },
      },
    ],
  });
}
