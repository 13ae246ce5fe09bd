import { isFinished } from "../model/job.js";
import { type SimulatedFleet, simulatedConnection, simulatedHost, simulatedImage, simulatedPool } from "./fleet.js";
import type { SimulatedJob } from "./forge-workings.js";
import { checkAlways } from "./invariants.js";
import type { PastJob } from "./job-history.js";
import { World } from "./world.js";

const minute = 60_000;
const sampleMs = minute;
/** Invariants are looked at as often as this: a day has many events. */
const checkMs = 1_000;

/** How long jobs waited, in ms: from their being pending to their running. */
export interface Waiting {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** How a host was used: vCPUs and microVMs, on average while there was work and at most. */
export interface HostUse {
  readonly host: string;
  readonly averageVcpu: number;
  readonly mostVcpu: number;
  readonly vcpu: number;
  readonly averageMicrovms: number;
  readonly mostMicrovms: number;
}

export interface DayReport {
  readonly jobs: number;
  readonly finished: number;
  /** From the first job's coming to the last one's end, in ms. */
  readonly lastedMs: number;
  readonly waiting: Waiting;
  readonly hosts: readonly HostUse[];
  readonly lifecycles: number;
  readonly violations: readonly string[];
  /** Why jobs were waiting at the end, with how many did. */
  readonly unserved: Readonly<Record<string, number>>;
}

/** A fleet for whoever has none yet: so many hosts of 16 vCPUs, and one pool of two vCPUs that takes every job of the history. */
export function usualFleet(jobs: readonly PastJob[], hostCount: number): SimulatedFleet {
  const capacity = { vcpu: 16, memoryMb: 65_536, microvms: 32 };
  const hosts = Array.from({ length: hostCount }, (_, n) =>
    simulatedHost({
      name: `host-${n + 1}`,
      capacity,
      network: { mode: "static", subnet: `10.${20 + n}.0.0/24`, gateway: `10.${20 + n}.0.1` },
    }),
  );
  const pool = simulatedPool({
    tags: [...new Set(jobs.flatMap(({ tags }) => tags))].slice(0, 50),
    runUntagged: true,
    sizes: { small: { vcpu: 2, memoryMb: 4_096 } },
    maxMicrovms: 16 * hostCount,
    maxJobTimeoutS: 86_400,
    idleTimeS: 0,
  });
  return { hosts, images: [simulatedImage()], connection: simulatedConnection(), pools: [pool] };
}

/** Plays a history on a fleet, with nothing failing, until its jobs are over or have waited for a day. */
export async function playDay(jobs: readonly PastJob[], fleet: SimulatedFleet, seed: number): Promise<DayReport> {
  const startAt = (jobs[0]?.createdAt ?? 0) - minute;
  let checkedAt = 0;
  const check = (world: World) => {
    if (world.clock.now() < checkedAt + checkMs) return;
    checkedAt = world.clock.now();
    checkAlways(world);
  };
  const world = new World(seed, check, undefined, fleet.connection, startAt);
  await world.declare(fleet.hosts, fleet.pools, fleet.connection, fleet.images);
  world.start();
  const pushed: SimulatedJob[] = [];
  for (const { createdAt, durationMs, tags, projectId } of jobs) {
    const origin = { projectId, ref: "main", refIsTag: false };
    world.clock.after(createdAt - startAt, () => pushed.push(world.forge.push(tags, durationMs, "success", undefined, origin)));
  }
  const uses = new Map(fleet.hosts.map(({ name }) => [name, new Use()]));
  const isOver = () => pushed.length === jobs.length && world.forge.isIdle();
  const sample = () => {
    for (const [host, use] of uses) use.add([...world.hosts.machines.values()].filter((machine) => machine.host === host));
    if (!isOver()) world.clock.after(sampleMs, sample);
  };
  world.clock.after(minute, sample);
  await world.run((jobs.at(-1)?.createdAt ?? startAt) - startAt + 24 * 60 * minute, isOver);
  const endedAt = world.clock.now();
  await world.run(2 * minute);
  const unserved: Record<string, number> = {};
  for (const { value } of world.store.list("job")) {
    if (value.status !== "pending") continue;
    const why = value.waitingReason?.message ?? "not read yet";
    unserved[why] = (unserved[why] ?? 0) + 1;
  }
  return {
    jobs: jobs.length,
    finished: pushed.filter(({ status }) => isFinished(status)).length,
    lastedMs: endedAt - startAt - minute,
    waiting: waitingOf(pushed),
    hosts: fleet.hosts.map(({ name, capacity }) => ({ host: name, vcpu: capacity.vcpu, ...(uses.get(name) ?? new Use()).told() })),
    lifecycles: world.hosts.lifecycles,
    violations: world.violations,
    unserved,
  };
}

function waitingOf(jobs: readonly SimulatedJob[]): Waiting {
  const waits = jobs
    .flatMap(({ startedAt, createdAt }) => (startedAt === undefined ? [] : [startedAt - createdAt]))
    .toSorted((a, b) => a - b);
  const at = (share: number) => waits[Math.min(Math.floor(share * waits.length), waits.length - 1)] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: waits.at(-1) ?? 0 };
}

/** What one host was used for, at regular times. */
class Use {
  private samples = 0;
  private vcpu = 0;
  private microvms = 0;
  private mostVcpu = 0;
  private mostMicrovms = 0;

  add(machines: readonly { readonly record: { readonly size: { readonly vcpu: number } } }[]): void {
    const vcpu = machines.reduce((sum, { record }) => sum + record.size.vcpu, 0);
    this.samples += 1;
    this.vcpu += vcpu;
    this.microvms += machines.length;
    this.mostVcpu = Math.max(this.mostVcpu, vcpu);
    this.mostMicrovms = Math.max(this.mostMicrovms, machines.length);
  }

  told() {
    const samples = Math.max(this.samples, 1);
    const { mostVcpu, mostMicrovms } = this;
    return { averageVcpu: this.vcpu / samples, mostVcpu, averageMicrovms: this.microvms / samples, mostMicrovms };
  }
}
