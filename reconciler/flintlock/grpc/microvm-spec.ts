import { create } from "@bufbuild/protobuf";
import { type MicroVMSpec, MicroVMSpecSchema, NetworkInterface_IfaceType } from "../../../proto/gen/types/microvm_pb.js";
import { FireRunnerError } from "../../model/errors.js";
import type { CreateRequest } from "../port.js";
import { specRefusals } from "./spec-refusals.js";

/**
 * Turns a request into the specification that a flintlockd boots with Firecracker. Throws `FR-INVALID` with one line for
 * each value that the host would reject, wedge on, or accept and fail on later; nothing was sent then.
 */
export function buildMicrovmSpec(request: CreateRequest): MicroVMSpec {
  const found = specRefusals(request);
  const { host, image, microvm, namespace, metadata } = request;
  if (found.length > 0) {
    const what = `microVM "${microvm.name}" for host "${host.name}"`;
    const message = found.map((refusal) => `${what}: ${refusal.field}: ${refusal.message}`).join("\n");
    throw new FireRunnerError("FR-INVALID", message, { details: { refusals: found } });
  }
  return create(MicroVMSpecSchema, {
    id: microvm.name,
    namespace,
    provider: "firecracker",
    vcpu: microvm.size.vcpu,
    memoryInMb: microvm.size.memoryMb,
    // Without addNetworkConfig the guest would get neither its address nor a way to its metadata.
    kernel: { image: image.kernel.image, filename: image.kernel.filename, cmdline: image.kernel.cmdline, addNetworkConfig: true },
    rootVolume: { id: "root", source: { containerSource: image.rootfs.image } },
    interfaces: [guestInterface(request)],
    metadata: Object.fromEntries(Object.entries(metadata).map(([key, text]) => [key, Buffer.from(text).toString("base64")])),
  });
}

/** The guest's one interface. `eth0` is the host's own, for the metadata service. */
function guestInterface({ host: { network }, microvm }: CreateRequest) {
  return {
    deviceId: "eth1",
    type: NetworkInterface_IfaceType.TAP,
    guestMac: microvm.mac,
    ...(network.mode === "static" && microvm.address !== undefined ? { address: staticAddress(network, microvm.address) } : {}),
    // Overrides without a bridge end the server's process.
    ...(network.bridge === undefined ? {} : { overrides: { bridgeName: network.bridge } }),
  };
}

function staticAddress(network: Extract<CreateRequest["host"]["network"], { mode: "static" }>, address: string) {
  const prefix = address.slice(address.indexOf("/") + 1);
  return { address, gateway: `${network.gateway}/${prefix}`, nameservers: [...network.nameservers] };
}
