import type { MicroVMSpec } from "../../../proto/gen/types/microvm_pb.js";
import { providerOf } from "./check-spec.js";
import { hostsOwnMac, volumesOf } from "./kept-spec.js";

/**
 * Why the hypervisor ends at once when it is started with what a host took without a word; undefined when it runs. The
 * host says CREATED all the same: it only knows that it spawned something.
 */
export function faultOfVmm(spec: MicroVMSpec): string | undefined {
  if (providerOf(spec) !== "firecracker") return undefined;
  const { vcpu, interfaces } = spec;
  if (vcpu > 32 || (vcpu > 1 && vcpu % 2 === 1)) return `${vcpu} vCPUs: must be 1 or an even number of at most 32`;
  const own = interfaces.find(({ deviceId }) => deviceId === "eth0");
  // The host's own interface is the one with its MAC; a caller's leaves the metadata service without any.
  if (own !== undefined && own.guestMac !== hostsOwnMac)
    return "a caller's own interface \"eth0\" takes the place of the metadata service's";
  return undefined;
}

/** Why a microVM cannot even be spawned; undefined when it can. */
export function faultOfSpec({ kernel, rootVolume }: MicroVMSpec): string | undefined {
  if (!kernel?.image) return "no kernel is named: here a flintlockd v0.11 ends, each time that it starts";
  return rootVolume !== undefined && !rootVolume.source?.containerSource ? "the root volume names no image" : undefined;
}

/** The images that a host must have before it can build a microVM. */
export function imagesOf(spec: MicroVMSpec): readonly string[] {
  const named = [spec.kernel?.image, spec.initrd?.image, ...volumesOf(spec).map(({ source }) => source?.containerSource)];
  return [...new Set(named.flatMap((image) => image || []))];
}
