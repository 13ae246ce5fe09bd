import { type MicroVM, type MicroVMSpec, MicroVMStatus_MicroVMState } from "../../../proto/gen/types/microvm_pb.js";
import type { HostMicrovm, HostMicrovmState } from "../port.js";

const states: ReadonlyMap<number, HostMicrovmState> = new Map([
  [MicroVMStatus_MicroVMState.PENDING, "pending"],
  [MicroVMStatus_MicroVMState.CREATED, "created"],
  [MicroVMStatus_MicroVMState.FAILED, "failed"],
  [MicroVMStatus_MicroVMState.DELETING, "deleting"],
]);

/** What a host's answer tells of a microVM; undefined when it lacks the uid, without which nothing can be done with it. */
export function readHostMicrovm(microvm: MicroVM | undefined): HostMicrovm | undefined {
  const spec = microvm?.spec;
  if (spec?.uid === undefined || spec.uid === "") return undefined;
  return {
    uid: spec.uid,
    name: spec.id,
    namespace: spec.namespace,
    // A state of a newer Flintlock says nothing yet: deadlines decide.
    state: states.get(microvm?.status?.state ?? MicroVMStatus_MicroVMState.PENDING) ?? "pending",
    retry: microvm?.status?.retry ?? 0,
    ...guestNetwork(spec),
    metadata: Object.fromEntries(Object.entries(spec.metadata).map(([key, value]) => [key, decode(value)])),
  };
}

/** Of the guest's own interface; `eth0` is the host's. */
function guestNetwork({ interfaces }: MicroVMSpec): Pick<HostMicrovm, "address" | "mac"> {
  const own = interfaces.find(({ deviceId }) => deviceId !== "eth0");
  return {
    ...(own?.address === undefined ? {} : { address: own.address.address }),
    ...(own?.guestMac ? { mac: own.guestMac.toLowerCase() } : {}),
  };
}

/** Hosts pass a value that is not base64 to the guest as it is, and so it is read. */
function decode(value: string): string {
  const bytes = Buffer.from(value, "base64");
  return bytes.toString("base64") === value ? bytes.toString() : value;
}
