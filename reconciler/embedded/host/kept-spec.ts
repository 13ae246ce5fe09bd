import { clone, create } from "@bufbuild/protobuf";
import {
  type MicroVMSpec,
  MicroVMSpecSchema,
  NetworkInterface_IfaceType,
  NetworkInterfaceSchema,
  type Volume,
  VolumeSourceSchema,
} from "../../../proto/gen/types/microvm_pb.js";
import { providerOf } from "./check-spec.js";
import { withInstanceId } from "./instance-data.js";

/** A copy of what a caller asked for in which image names are without the blanks and control characters around them. */
export function tidySpec(asked: MicroVMSpec): MicroVMSpec {
  const spec = clone(MicroVMSpecSchema, asked);
  if (spec.kernel !== undefined) spec.kernel.image = tidy(spec.kernel.image);
  if (spec.initrd !== undefined) spec.initrd.image = tidy(spec.initrd.image);
  for (const { source } of volumesOf(spec)) {
    if (source?.containerSource !== undefined) source.containerSource = tidy(source.containerSource);
  }
  return spec;
}

/** What a host keeps of an accepted specification: defaults filled in, its own interface added, a uid given. */
export function keepSpec(asked: MicroVMSpec, uid: string): MicroVMSpec {
  const spec = clone(MicroVMSpecSchema, asked);
  spec.uid = uid;
  spec.namespace ||= "default";
  spec.vcpu ||= 2;
  spec.memoryInMb ||= 1024;
  spec.labels = {};
  for (const field of ["createdAt", "updatedAt", "deletedAt"] as const) delete spec[field];
  spec.metadata["meta-data"] = withInstanceId(spec.metadata["meta-data"], uid);
  if (spec.kernel !== undefined) spec.kernel.filename ??= "";
  if (spec.initrd !== undefined) spec.initrd.filename ??= "";
  for (const volume of volumesOf(spec)) fillIn(volume);
  for (const network of spec.interfaces) network.guestMac ??= "";
  // Firecracker's metadata service needs an interface; a caller's own of that name takes its place, and does not boot.
  if (providerOf(spec) === "firecracker" && !spec.interfaces.some(({ deviceId }) => deviceId === "eth0")) {
    spec.interfaces.unshift(hostsOwnInterface());
  }
  return spec;
}

/** What a host shows of it: some of what it keeps and uses it never tells. */
export function shownSpec(kept: MicroVMSpec): MicroVMSpec {
  const spec = clone(MicroVMSpecSchema, kept);
  delete spec.provider;
  for (const network of spec.interfaces) delete network.overrides;
  for (const volume of volumesOf(spec)) delete volume.mountPoint;
  return spec;
}

/** All volumes, the root's first. */
export function volumesOf(spec: MicroVMSpec): Volume[] {
  return [...(spec.rootVolume === undefined ? [] : [spec.rootVolume]), ...spec.additionalVolumes];
}

function fillIn(volume: Volume): void {
  volume.source ??= create(VolumeSourceSchema);
  volume.partitionId ??= "";
  volume.sizeInMb ??= 0;
}

/** The MAC of the interface at which the metadata service listens. */
export const hostsOwnMac = "AA:FF:00:00:00:01";

function hostsOwnInterface() {
  return create(NetworkInterfaceSchema, {
    deviceId: "eth0",
    type: NetworkInterface_IfaceType.TAP,
    guestMac: hostsOwnMac,
    address: { address: "169.254.0.1/16" },
  });
}

function tidy(image: string): string {
  return image.replace(/[\p{Cc}]/gu, "").trim();
}
