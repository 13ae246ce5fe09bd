import { type Host, type HostInput, hostSchema } from "../../model/host.js";
import { imageSchema } from "../../model/image.js";
import { microvmSchema } from "../../model/microvm.js";
import type { CreateRequest } from "../port.js";

/** A host at an address, as it is declared. */
export function hostAt(endpoint: string, change: Partial<HostInput> = {}): Host {
  return hostSchema.parse({
    name: "host-a",
    endpoint,
    tls: { insecure: true },
    capacity: { vcpu: 8, memoryMb: 16_384, microvms: 8 },
    network: { mode: "static", subnet: "10.20.0.0/24", gateway: "10.20.0.1", nameservers: ["1.1.1.1"] },
    ...change,
  });
}

/** A request that every host can boot. */
export function createRequest(host: Host, change: Partial<Omit<CreateRequest, "host">> = {}): CreateRequest {
  return {
    host,
    image: imageSchema.parse({
      name: "base",
      kernel: { image: "registry.test/kernel:6.1", cmdline: { quiet: "" } },
      rootfs: { image: "registry.test/rootfs:1" },
    }),
    microvm: microvmSchema.parse({
      name: "vm-abcdefghijab",
      pool: "small",
      connection: "gitlab",
      image: "base",
      sizeName: "small",
      size: { vcpu: 2, memoryMb: 2048 },
      host: host.name,
      phase: "creating",
      address: host.network.mode === "static" ? "10.20.0.5/24" : undefined,
      mac: "02:00:00:00:00:05",
      allocatedAt: 0,
      identity: false,
      traceId: "0".repeat(32),
    }),
    namespace: "fr-test",
    metadata: { "firerunner-boot": "v=1\nvm=vm-abcdefghijab\n", "firerunner-mark": '{"v":1,"owner":"tést"}' },
    ...change,
  };
}
