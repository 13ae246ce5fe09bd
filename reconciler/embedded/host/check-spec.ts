import { isIP } from "node:net";
import type { MicroVMSpec, NetworkInterface, Volume } from "../../../proto/gen/types/microvm_pb.js";
import { NetworkInterface_IfaceType } from "../../../proto/gen/types/microvm_pb.js";
import { HostError } from "./host-error.js";
import { isCidr, isMac } from "./network-text.js";

const providers = ["firecracker", "cloudhypervisor"];

/** The provider that builds a microVM: Firecracker unless another one is asked for. */
export const providerOf = (spec: MicroVMSpec): string => spec.provider || "firecracker";

/** Throws what a flintlockd answers to a specification that it refuses; much that can never boot it takes. */
export function checkSpec(spec: MicroVMSpec): void {
  if (spec.id === "") throw new HostError("converting request: creating vmid from spec: name is required");
  const failures = [...scalars(spec), ...spec.interfaces.flatMap(interfaceFailures), ...volumes(spec)];
  if (failures.length > 0) {
    const prefix = "creating microvm: an error occurred when attempting to validate microvm spec: validation failures found: ";
    throw new HostError(prefix + failures.join("\n"));
  }
  checkProvider(spec);
  // The lease of a record is found by a filter into which the name goes as it is.
  if (/[\s,"\\]/.test(spec.namespace + spec.id))
    throw new HostError(`creating microvm: saving microvm spec: invalid filter for ${spec.id}`);
}

function failure(field: string, tag: string): string {
  const name = /([^.]+)$/.exec(field)?.[1] ?? field;
  return `Key: 'MicroVM.Spec.${field}' Error:Field validation for '${name}' failed on the '${tag}' tag`;
}

function scalars({ kernel, initrd, vcpu, memoryInMb, interfaces }: MicroVMSpec): string[] {
  const found: string[] = [];
  // A kernel of which nothing is set passes.
  if (kernel !== undefined && (kernel.image || kernel.filename || kernel.addNetworkConfig || Object.keys(kernel.cmdline).length > 0)) {
    if (kernel.image === "") found.push(failure("Kernel.Image", "required"));
    if (!kernel.filename) found.push(failure("Kernel.Filename", "required"));
  }
  if (initrd !== undefined && !/^[a-z0-9][\w.:/@-]*$/.test(initrd.image)) found.push(failure("Initrd.Image", "imageURI"));
  if (vcpu < 0) found.push(failure("VCPU", "gte"));
  if (vcpu > 64) found.push(failure("VCPU", "lte"));
  if (memoryInMb !== 0 && memoryInMb < 1024) found.push(failure("MemoryInMb", "gte"));
  if (memoryInMb > 32_768) found.push(failure("MemoryInMb", "lte"));
  if (interfaces.length === 0) found.push(failure("NetworkInterfaces", "required"));
  return found;
}

function interfaceFailures({ deviceId, type, guestMac, address }: NetworkInterface, index: number): string[] {
  const field = (name: string) => `NetworkInterfaces[${index}].${name}`;
  const found: string[] = [];
  if (deviceId === "") found.push(failure(field("GuestDeviceName"), "required"));
  else if (!/^[a-z][a-z0-9_]*$/.test(deviceId)) found.push(failure(field("GuestDeviceName"), "guestDeviceName"));
  if (guestMac && !isMac(guestMac)) found.push(failure(field("GuestMAC"), "mac"));
  if (!(type in NetworkInterface_IfaceType)) found.push(failure(field("Type"), "oneof"));
  if (address === undefined) return found;
  if (!isCidr(address.address)) found.push(failure(field("StaticAddress.Address"), "cidr"));
  if (address.gateway !== undefined && !isCidr(address.gateway)) found.push(failure(field("StaticAddress.Gateway"), "cidr"));
  address.nameservers.forEach((server, at) => {
    if (isIP(server) === 0) found.push(failure(field(`StaticAddress.Nameservers[${at}]`), "ip"));
  });
  return found;
}

function volumes({ rootVolume, additionalVolumes, initrd }: MicroVMSpec): string[] {
  const found: string[] = [];
  if ((rootVolume === undefined || isEmptyVolume(rootVolume)) && initrd === undefined)
    found.push(failure("root_volume", "volumeOrInitrdRequired"));
  if (rootVolume?.source?.virtiofsSource) found.push(failure("root_volume", "virtioFSNotSupportedForRoot"));
  if (additionalVolumes.filter((volume) => volume.source?.virtiofsSource).length > 1) {
    found.push(failure("AdditionalVolumes", "onlyOneVirtioFSVolume"));
  }
  const doubled = additionalVolumes.some(({ source }) => source?.virtiofsSource && source.containerSource);
  if (doubled) found.push(failure("AdditionalVolumes", "onlyOneSource"));
  return found;
}

function isEmptyVolume(volume: Volume): boolean {
  return (
    volume.id === "" && volume.source === undefined && !volume.isReadOnly && !volume.mountPoint && !volume.partitionId && !volume.sizeInMb
  );
}

function checkProvider(spec: MicroVMSpec): void {
  const provider = providerOf(spec);
  if (!providers.includes(provider)) throw new HostError(`creating microvm: microvm provider ${provider} isn't available`);
  if (provider !== "firecracker") return;
  const macvtap = spec.interfaces.some(({ type }) => type === NetworkInterface_IfaceType.MACVTAP);
  if (macvtap) throw new HostError("creating microvm: macvtap network interfaces not supported by the microvm provider");
  const virtiofs = spec.additionalVolumes.some(({ source }) => source?.virtiofsSource);
  if (virtiofs) throw new HostError("creating microvm: virtiofs not supported by the microvm provider");
}
