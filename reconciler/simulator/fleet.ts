import { type Connection, type ConnectionInput, connectionSchema } from "../model/connection.js";
import { type Host, type HostInput, hostSchema } from "../model/host.js";
import { type Image, imageSchema } from "../model/image.js";
import { type Pool, type PoolInput, poolSchema } from "../model/pool.js";

/** What is declared in a simulated world. */
export interface SimulatedFleet {
  readonly hosts: readonly Host[];
  readonly images: readonly Image[];
  readonly connection: Connection;
  readonly pools: readonly Pool[];
}

export const simulatedHost = (host: Partial<HostInput>): Host =>
  hostSchema.parse({
    name: "host-0",
    endpoint: "127.0.0.1:9090",
    tls: { insecure: true },
    capacity: { vcpu: 16, memoryMb: 32_768, microvms: 16 },
    network: { mode: "static", subnet: "10.20.0.0/24", gateway: "10.20.0.1" },
    ...host,
  });

export const simulatedImage = (): Image =>
  imageSchema.parse({ name: "image", kernel: { image: "registry.example/kernel:6.1" }, rootfs: { image: "registry.example/root:1" } });

export const simulatedConnection = (connection: Partial<ConnectionInput> = {}): Connection =>
  connectionSchema.parse({
    name: "forge",
    kind: "gitlab",
    url: "https://gitlab.example.com",
    token: "env:TOKEN",
    scope: { instance: true },
    ...connection,
  });

/** A pool with a `small` and a `large` size, whose jobs carry the tag `vm`. */
export const simulatedPool = (pool: Partial<PoolInput>): Pool =>
  poolSchema.parse({
    name: "pool",
    connection: "forge",
    image: "image",
    tags: ["vm"],
    sizes: { small: { vcpu: 1, memoryMb: 1024 }, large: { vcpu: 4, memoryMb: 4096 } },
    size: "small",
    maxMicrovms: 10,
    ...pool,
  });
