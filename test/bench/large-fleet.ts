import { hostSchema } from "../../reconciler/model/host.js";
import { runnerDescription } from "../../reconciler/model/identity.js";
import { type Job, jobKey } from "../../reconciler/model/job.js";
import { macOf } from "../../reconciler/model/mark.js";
import type { Microvm } from "../../reconciler/model/microvm.js";
import { poolSchema } from "../../reconciler/model/pool.js";
import type { ObservedMicrovm } from "../../reconciler/plan/snapshot.js";
import type { Write } from "../../reconciler/store/port.js";

/** Whose fleet it is. */
export const owner = "bench";

const hostCount = 100;
const tags = ["linux", "small"];
const size = { vcpu: 2, memoryMb: 4_096 };
const pool = "pool";
const connection = "harbour";
const projectId = 380;

/** How many microVMs run jobs, how many are on their way to waiting jobs, and how many jobs wait without one. */
export interface FleetShape {
  readonly busy: number;
  readonly onTheirWay: number;
  readonly uncovered: number;
}

/** A fleet of 100 hosts as records at a moment, and what each host shows then. */
export interface LargeFleet {
  readonly writes: readonly Write[];
  readonly shown: ReadonlyMap<string, readonly ObservedMicrovm[]>;
}

const hostOf = (n: number): string => `host-${String(n % hostCount).padStart(3, "0")}`;

/** A job that waits, known to its class and covered by a microVM when `covered`; else as it was read first. */
export function waitingJob(n: number, now: number, covered: boolean): Job {
  return {
    connection,
    projectId,
    jobId: 1_000_000 + n,
    name: `unit ${n}`,
    stage: "test",
    pipelineId: 9_001,
    ref: "main",
    status: "pending",
    tags,
    protected: false,
    allowFailure: false,
    createdAt: now - 60_000,
    queuedAt: now - 60_000 + n,
    readAt: now - 5_000,
    traceId: n.toString(16).padStart(32, "0"),
    ...(covered
      ? {
          pool,
          size: "small",
          waitingReason: { code: "FR-WAITING-FOR-MICROVM", message: 'a microVM of size "small" of pool "pool" is on its way' },
        }
      : {}),
  };
}

export function largeFleet({ busy, onTheirWay, uncovered }: FleetShape, now: number): LargeFleet {
  const writes: Write[] = [...declared(now)];
  const shown = new Map<string, ObservedMicrovm[]>();
  for (let n = 0; n < busy + onTheirWay; n++) {
    const isBusy = n < busy;
    const job = isBusy ? runningJob(n, now) : waitingJob(n, now, true);
    const vm = microvm(n, isBusy ? jobKey(job) : undefined, now);
    writes.push({ kind: "job", key: jobKey(job), value: job, expect: "absent" });
    writes.push({ kind: "microvm", key: vm.name, value: vm, expect: "absent" });
    writes.push(identity(n, vm, isBusy, now), ...(isBusy ? [report(vm, now)] : []));
    const own = shown.get(vm.host) ?? [];
    own.push({ uid: `uid-${n}`, name: vm.name, state: "created", retry: 0, mark: { vm: vm.name, pool, connection } });
    shown.set(vm.host, own);
  }
  for (let n = 0; n < uncovered; n++) {
    const job = waitingJob(busy + onTheirWay + n, now, false);
    writes.push({ kind: "job", key: jobKey(job), value: job, expect: "absent" });
  }
  return { writes, shown };
}

function declared(now: number): readonly Write[] {
  const common = { generation: 1, order: 0, declaredAt: now, expect: "absent" } as const;
  const { expect, ...meta } = common;
  const hosts = Array.from({ length: hostCount }, (_, n): Write => {
    const spec = hostSchema.parse({
      name: hostOf(n),
      endpoint: `10.0.0.${n + 1}:9090`,
      capacity: { vcpu: 1_024, memoryMb: 1_048_576, microvms: 200 },
      network: { mode: "static", subnet: `10.${100 + n}.0.0/22`, gateway: `10.${100 + n}.0.1` },
    });
    return { kind: "host", key: spec.name, value: { spec, ...meta }, expect };
  });
  const image = { name: "image", kernel: { image: "registry.example/kernel:6.1", filename: "vmlinux", cmdline: {} } };
  const rootfs = { image: "registry.example/root:1" };
  return [
    ...hosts,
    {
      kind: "image",
      key: "image",
      value: { spec: { ...image, rootfs, bootstrap: "agent", arch: "amd64" }, ...meta },
      expect,
    },
    {
      kind: "connection",
      key: connection,
      value: {
        spec: {
          name: connection,
          kind: "gitlab",
          url: "https://gitlab.example.com",
          token: "env:TOKEN",
          scope: { projectId },
          webhook: { register: false },
          presenceRunners: true,
        },
        ...meta,
      },
      expect,
    },
    {
      kind: "pool",
      key: pool,
      value: {
        spec: poolSchema.parse({
          name: pool,
          connection,
          image: "image",
          tags: ["linux"],
          sizes: { small: size, large: { vcpu: 8, memoryMb: 16_384 } },
          size: "small",
          maxMicrovms: 20_000,
        }),
        ...meta,
      },
      expect,
    },
  ];
}

function runningJob(n: number, now: number): Job {
  const { waitingReason: _reason, ...job } = waitingJob(n, now, true);
  return { ...job, status: "running", runnerId: n + 1, startedAt: now - 30_000, vm: nameOf(n), host: hostOf(n), vmAt: now - 60_000 };
}

const nameOf = (n: number): string => `vm-${String(n).padStart(12, "a")}`;

function microvm(n: number, job: string | undefined, now: number): Microvm {
  const offset = Math.floor(n / hostCount) + 2;
  const network = `10.${100 + (n % hostCount)}`;
  return {
    name: nameOf(n),
    pool,
    connection,
    image: "image",
    sizeName: "small",
    size,
    host: hostOf(n),
    uid: `uid-${n}`,
    address: `${network}.${Math.floor(offset / 256)}.${offset % 256}/22`,
    mac: macOf(hostOf(n), offset),
    allocatedAt: now - 50_000,
    createSentAt: now - 49_900,
    createdAt: now - 49_800,
    committedAt: now - 50_000,
    identity: true,
    traceId: n.toString(16).padStart(32, "0"),
    ...(job === undefined
      ? { phase: "booting" }
      : { phase: "busy", job, claimedAt: now - 40_000, assignedAt: now - 40_000, busyAt: now - 30_000, jobDeadlineAt: now + 3_600_000 }),
  };
}

function identity(n: number, vm: Microvm, isBusy: boolean, now: number): Write {
  const common = {
    vm: vm.name,
    connection,
    description: runnerDescription(owner, pool, vm.name),
    tags,
    runUntagged: false,
    maxJobTimeoutS: 3_600,
    state: "ready",
    attempts: 1,
    runnerId: n + 1,
  } as const;
  const rest = isBusy ? { pausedAt: now - 29_000 } : { sealedToken: "x".repeat(80) };
  return { kind: "identity", key: vm.name, value: { ...common, tags, ...rest }, expect: "absent" };
}

function report(vm: Microvm, now: number): Write {
  const value = { vm: vm.name, bootId: "boot", secretSha256: "a".repeat(64), claimedAt: now - 40_000, startedAt: now - 39_000 };
  return { kind: "guestReport", key: vm.name, value, expect: "absent" };
}
