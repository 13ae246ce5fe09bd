import { Gauge, Histogram, type Registry } from "prom-client";
import type { BootStageName } from "../model/boot-stages.js";

/** The jobs that wait for a pool. */
export interface Queue {
  readonly pool: string;
  readonly waiting: number;
  /** How long the oldest of them has waited. */
  readonly oldestS: number;
}

/** What is measured of waiting. */
export interface QueueMetrics {
  /** `firerunner_job_wait_seconds`: from when a job began to wait until it ran on one of our microVMs, by the forge's clock. */
  jobWaited(pool: string, waitedS: number): void;
  /** `firerunner_vm_boot_duration_seconds`: from its creation until the guest of a microVM claimed it; a first use pulls its image before. */
  vmBooted(pool: string, firstUse: boolean, bootS: number): void;
  /** `firerunner_vm_boot_stage_seconds`: how long a stage of a microVM's boot took. */
  bootStage(stage: BootStageName, seconds: number): void;
  /** `firerunner_jobs_waiting` and `firerunner_oldest_waiting_job_seconds` are asked of `source` whenever metrics are read. */
  countQueues(source: () => readonly Queue[]): void;
}

const waitBuckets = [0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 900, 3600];

export function createQueueMetrics(registry: Registry): QueueMetrics {
  const registers = [registry];
  const labelNames = ["pool"] as const;
  const waits = new Histogram({
    name: "firerunner_job_wait_seconds",
    help: "Seconds from when a job began to wait until it ran on one of our microVMs, by the forge's clock.",
    labelNames,
    buckets: waitBuckets,
    registers,
  });
  const boots = new Histogram({
    name: "firerunner_vm_boot_duration_seconds",
    help: "Seconds from the creation of a microVM until its guest claimed it; first_use where its host had not run the image before.",
    labelNames: ["pool", "first_use"],
    buckets: [0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120],
    registers,
  });
  const stages = new Histogram({
    name: "firerunner_vm_boot_stage_seconds",
    help: "Seconds that a stage of a microVM's boot took, named by what it ends with: create, monitor, kernel, init, network, claim, runner.",
    labelNames: ["stage"],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 30],
    registers,
  });
  let queues: () => readonly Queue[] = () => [];
  new Gauge({
    name: "firerunner_jobs_waiting",
    help: "Jobs that wait, by their pool.",
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { pool, waiting } of queues()) this.set({ pool }, waiting);
    },
  });
  new Gauge({
    name: "firerunner_oldest_waiting_job_seconds",
    help: "How long the job has waited that waits longest, by pool.",
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { pool, oldestS } of queues()) this.set({ pool }, oldestS);
    },
  });
  return {
    jobWaited: (pool, waitedS) => waits.observe({ pool }, Math.max(0, waitedS)),
    vmBooted: (pool, firstUse, bootS) => boots.observe({ pool, first_use: String(firstUse) }, Math.max(0, bootS)),
    bootStage: (stage, seconds) => stages.observe({ stage }, seconds),
    countQueues(source) {
      queues = source;
    },
  };
}
