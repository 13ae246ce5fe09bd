import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { MicroVMSpecSchema } from "../../../proto/gen/types/microvm_pb.js";
import { firecrackerConfig } from "./firecracker-config.js";
import { keepSpec } from "./kept-spec.js";
import { kernelArguments, recordedVmm } from "./recorded.fixture.js";

const recorded = recordedVmm["firecracker.cfg"];

it("writes for the monitor what a flintlockd was recorded to write", () => {
  const asked = fromJson(MicroVMSpecSchema, {
    id: "net1",
    kernel: { image: "k", filename: "boot/vmlinux", addNetworkConfig: true, cmdline: recordedVmm.request_cmdline as JsonValue },
    rootVolume: { id: "root", source: { containerSource: "r" } },
    interfaces: [
      {
        deviceId: "eth1",
        type: "TAP",
        guestMac: "02:00:00:00:00:09",
        address: { address: "10.9.0.2/24", gateway: "10.9.0.1/24", nameservers: ["1.1.1.1"] },
      },
    ],
  });
  const devices = recorded["network-interfaces"].map((each: { host_dev_name: string }) => each.host_dev_name);
  const written = firecrackerConfig(keepSpec(asked, "01M84KPCSZC3AH3Q5HXYRYHNTX"), {
    kernel: recorded["boot-source"].kernel_image_path,
    rootDisk: recorded.drives[0].path_on_host,
    device: (id) => devices[id === "eth0" ? 0 : 1],
  }) as typeof recorded;
  const { logger: _log, metrics: _metrics, "boot-source": boot, ...rest } = recorded;
  const { "boot-source": writtenBoot, ...writtenRest } = written;
  expect(writtenRest).toEqual(rest);
  expect(kernelArguments(writtenBoot.boot_args)).toEqual(kernelArguments(boot.boot_args));
});
