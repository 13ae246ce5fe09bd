import { create } from "@bufbuild/protobuf";
import {
  type MicroVMSpec,
  type MicroVMStatus,
  MicroVMStatusSchema,
  Mount_MountType,
  type MicroVMStatus_MicroVMState as State,
} from "../../../proto/gen/types/microvm_pb.js";
import { volumesOf } from "./kept-spec.js";

/** How far a host got with a microVM. */
export type Progress = "nothing" | "tried" | "built";

/** The status a host shows; paths and device names are made up, but always the same for one uid. */
export function shownStatus(spec: MicroVMSpec, state: State, retry: number, progress: Progress): MicroVMStatus {
  const status = create(MicroVMStatusSchema, { state, retry });
  if (progress === "nothing") return status;
  const built = progress === "built";
  const names = { volumes: volumesOf(spec).map(({ id }) => id), interfaces: spec.interfaces.map(({ deviceId }) => deviceId) };
  const seed = hash(spec.uid ?? "");
  const volume = (index: number) => (built ? { source: `/dev/mapper/flintlock-thinpool-snap-${(seed % 1000) + index}` } : {});
  const volumes = names.volumes.map((id, index) => [id, { mount: volume(index) }] as const);
  const interfaces = names.interfaces.map((id, index) => [id, built ? device(seed, index) : {}] as const);
  return create(MicroVMStatusSchema, {
    state,
    retry,
    volumes: Object.fromEntries(volumes),
    networkInterfaces: Object.fromEntries(interfaces),
    ...(built && spec.kernel !== undefined ? { kernelMount: image(seed) } : {}),
    ...(built && spec.initrd !== undefined ? { initrdMount: image(seed + 1) } : {}),
    ...(built && spec.allowGuestAgent
      ? { vsockPath: `/var/lib/flintlock/vm/${spec.namespace}/${spec.id}/${spec.uid}/guest-agent.vsock` }
      : {}),
  });
}

function image(seed: number) {
  const source = `/var/lib/containerd/io.containerd.snapshotter.v1.native/snapshots/${seed % 1000}`;
  return { type: Mount_MountType.HOSTPATH, source };
}

function device(seed: number, index: number) {
  const digits = (seed + index).toString(16).padStart(8, "0").slice(-8);
  const octets = digits.match(/../g) ?? [];
  return {
    hostDeviceName: `fltap${digits.slice(1)}`,
    index: 6 + (seed % 1000) + index,
    macAddress: ["DA", "6E", ...octets].join(":").toUpperCase(),
  };
}

function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return value;
}
