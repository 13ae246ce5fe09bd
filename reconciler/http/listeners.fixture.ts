import { systemRandom } from "../control/random.js";
import { systemClock } from "../model/clock.js";
import { connectionSchema } from "../model/connection.js";
import type { FleetInput } from "../model/fleet.js";
import type { Job } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import { serviceSchema } from "../model/service.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import type { Store } from "../store/port.js";
import { createLogger, type Logger } from "../telemetry/logger.js";
import type { LoopView } from "./loop-view.js";

/** A listener's settings on a free port of this machine. */
export const onLoopback = serviceSchema.parse({ owner: "test", listeners: { public: { listen: "127.0.0.1:0" } } }).listeners.public;

export const newStore = (): Store => createMemoryStore({ clock: systemClock, random: systemRandom });

/** A logger whose lines are kept. */
export function keptLog(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  return { lines, logger: createLogger({ level: "debug", env: {}, destination: { write: (line) => lines.push(line) } }) };
}

/** A loop that does not lead, unless a test says otherwise. */
export const aLoop = (change: Partial<LoopView> = {}): LoopView => ({
  look: () => undefined,
  sweepSoon: () => false,
  lastAnswer: () => undefined,
  ...change,
});

export function aMicrovm(change: Partial<Microvm> = {}): Microvm {
  return {
    name: "vm-a",
    pool: "small",
    connection: "gitlab",
    image: "base",
    sizeName: "small",
    size: { vcpu: 1, memoryMb: 1024 },
    host: "rack-1",
    mac: "02:00:00:00:00:01",
    phase: "parked",
    identity: false,
    traceId: "0f".repeat(16),
    allocatedAt: 1,
    ...change,
  };
}

/** A valid record of each kind. */
export const oneOfEach = {
  host: {
    name: "rack-1",
    endpoint: "127.0.0.1:9090",
    tls: { insecure: true },
    capacity: { vcpu: 8, memoryMb: 16_384, microvms: 8 },
    network: { mode: "static", subnet: "10.20.0.0/24", gateway: "10.20.0.1" },
  },
  image: { name: "base", kernel: { image: "registry.example/kernel:6.1" }, rootfs: { image: "registry.example/rootfs:1" } },
  connection: {
    name: "gitlab",
    kind: "gitlab",
    url: "https://gitlab.example.com",
    token: "env:FORGE_TOKEN",
    scope: { projectId: 380 },
    webhook: { secret: "env:WEBHOOK_SECRET" },
  },
  pool: {
    name: "small",
    connection: "gitlab",
    image: "base",
    tags: ["vm"],
    sizes: { small: { vcpu: 1, memoryMb: 1024 } },
    size: "small",
    maxMicrovms: 2,
  },
} as const;

export const fleetInput = {
  hosts: [oneOfEach.host],
  images: [oneOfEach.image],
  connections: [oneOfEach.connection],
  pools: [{ ...oneOfEach.pool, tags: ["vm"] }],
} satisfies FleetInput;

/** Declares a connection without the admin API. */
export async function declareConnection(store: Store, change: Record<string, unknown> = {}): Promise<void> {
  const spec = connectionSchema.parse({ ...oneOfEach.connection, ...change });
  const value = { spec, generation: 1, order: 0, declaredAt: 0 };
  await store.commit({ writes: [{ kind: "connection", key: spec.name, value, expect: "any" }] });
}

export function aJob(change: Partial<Job> = {}): Job {
  return {
    connection: "gitlab",
    projectId: 380,
    jobId: 41_977,
    name: "unit",
    stage: "test",
    status: "pending",
    tags: ["vm"],
    protected: false,
    allowFailure: false,
    queuedAt: 1_700_000_000_000,
    readAt: 1_700_000_000_000,
    traceId: "0f".repeat(16),
    ...change,
  };
}
