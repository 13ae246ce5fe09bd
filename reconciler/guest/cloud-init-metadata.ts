import { stringify } from "yaml";

/**
 * What cloud-init reads at its source "NoCloud", over Firecracker's metadata service. The machine has the microVM's name. An
 * empty `vendor-data` is there because cloud-init would ask for a missing one again and again, for ten seconds.
 */
export function cloudInitMetadata(vm: string, userData: string): Readonly<Record<"meta-data" | "user-data" | "vendor-data", string>> {
  return {
    "meta-data": stringify({ "instance-id": vm, "local-hostname": vm }),
    "user-data": userData,
    "vendor-data": "#cloud-config\n{}\n",
  };
}
