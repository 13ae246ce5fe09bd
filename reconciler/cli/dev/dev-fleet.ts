import type { FleetInput } from "../../model/fleet.js";
import type { ImageInput } from "../../model/image.js";
import type { PoolInput } from "../../model/pool.js";

export interface DevFleetOptions {
  readonly gitlabUrl: string;
  readonly tokenFile: string;
  readonly webhookSecretFile: string;
  /** `HOST:PORT` of the embedded hosts. */
  readonly hosts: readonly string[];
  /** What their microVMs boot. */
  readonly image: Pick<ImageInput, "kernel" | "rootfs" | "bootstrap">;
  /** What of the pool is to be otherwise. */
  readonly pool?: Partial<PoolInput> | undefined;
}

/** What the development world declares: hosts on loopback, one connection, one pool of two sizes with a warm microVM. */
export function devFleet(options: DevFleetOptions): FleetInput {
  return {
    hosts: options.hosts.map((endpoint, index) => ({
      name: `host-${index + 1}`,
      endpoint,
      tls: { insecure: true },
      capacity: { vcpu: 8, memoryMb: 8192, microvms: 4 },
      network: { mode: "static", subnet: `10.77.${index + 1}.0/24`, gateway: `10.77.${index + 1}.1` },
    })),
    images: [{ name: "shell", ...options.image }],
    connections: [
      {
        name: "embedded",
        kind: "gitlab",
        url: options.gitlabUrl,
        token: `file:${options.tokenFile}`,
        scope: { instance: true },
        webhook: { secret: `file:${options.webhookSecretFile}` },
      },
    ],
    pools: [
      {
        name: "dev",
        connection: "embedded",
        image: "shell",
        tags: ["firerunner"],
        runUntagged: true,
        sizes: { small: { vcpu: 1, memoryMb: 1024 }, large: { vcpu: 2, memoryMb: 2048 } },
        size: "small",
        minIdle: 1,
        maxMicrovms: 6,
        ...options.pool,
      },
    ],
  };
}
