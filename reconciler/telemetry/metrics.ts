import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { createForgeMetrics, type ForgeMetrics } from "./forge-metrics.js";
import { createQueueMetrics, type QueueMetrics } from "./queue-metrics.js";
import { createReplicaMetrics, type ReplicaMetrics } from "./replica-metrics.js";

/** How many microVMs are in a phase of a pool. */
export interface VmCount {
  readonly pool: string;
  readonly phase: string;
  readonly count: number;
}

/** How many subjects a condition is true of. */
export interface ConditionCount {
  readonly type: string;
  readonly count: number;
}

/** How many dead letters there are of an action. */
export interface DeadLetterCount {
  readonly effect: string;
  readonly count: number;
}

/** How many waiting jobs of a connection no pool takes. */
export interface UnmatchedCount {
  readonly connection: string;
  readonly count: number;
}

/** What the service counts and measures; one instance per service, nothing is global. */
export interface MetricsRecorder extends ForgeMetrics, QueueMetrics, ReplicaMetrics {
  /** `firerunner_jobs_total`: a job that the forge calls finished. */
  jobFinished(status: string): void;
  /** `firerunner_jobs_lost_total`: a job that the forge says runs, while its microVM is lost. */
  jobLost(pool: string, policy: string): void;
  /** `firerunner_vm_creation_duration_seconds`: from the decision on a microVM until its host says that it exists. */
  vmCreated(durationS: number): void;
  /** `firerunner_job_duration_seconds`: from start to finish, by the forge's clock. */
  jobRan(durationS: number): void;
  /** `firerunner_reconcile_duration_seconds`: one pass of the loop. */
  reconciled(durationS: number): void;
  /** `firerunner_effects_total`: one call to a host or forge that a plan asked for. */
  effect(effect: string, outcome: string): void;
  /** `firerunner_vms_active` is asked of `source` whenever metrics are read. */
  countVms(source: () => readonly VmCount[]): void;
  /** `firerunner_conditions` is asked of `source` whenever metrics are read. */
  countConditions(source: () => readonly ConditionCount[]): void;
  /** `firerunner_dead_letters` is asked of `source` whenever metrics are read. */
  countDeadLetters(source: () => readonly DeadLetterCount[]): void;
  /** `firerunner_unmatched_jobs` is asked of `source` whenever metrics are read. */
  countUnmatched(source: () => readonly UnmatchedCount[]): void;
}

/** The same, and how it is read. */
export interface Metrics extends MetricsRecorder {
  readonly contentType: string;
  /** Everything in Prometheus' text format. */
  read(): Promise<string>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const jobs = new Counter({
    name: "firerunner_jobs_total",
    help: "Jobs that finished, by their last status.",
    labelNames: ["status"],
    registers,
  });
  const lostJobs = new Counter({
    name: "firerunner_jobs_lost_total",
    help: "Jobs that ran when their microVM was lost, by pool and its onVmLoss.",
    labelNames: ["pool", "policy"],
    registers,
  });
  let countVms: () => readonly VmCount[] = () => [];
  new Gauge({
    name: "firerunner_vms_active",
    help: "MicroVMs that are not gone, by pool and phase.",
    labelNames: ["pool", "phase"],
    registers,
    collect() {
      this.reset();
      for (const { pool, phase, count } of countVms()) this.set({ pool, phase }, count);
    },
  });
  let countUnmatched: () => readonly UnmatchedCount[] = () => [];
  new Gauge({
    name: "firerunner_unmatched_jobs",
    help: "Waiting jobs that no pool takes.",
    labelNames: ["connection"],
    registers,
    collect() {
      this.reset();
      for (const { connection, count } of countUnmatched()) this.set({ connection }, count);
    },
  });
  let countConditions: () => readonly ConditionCount[] = () => [];
  new Gauge({
    name: "firerunner_conditions",
    help: "Hosts, microVMs and others of which a condition is true, by its type.",
    labelNames: ["type"],
    registers,
    collect() {
      this.reset();
      for (const { type, count } of countConditions()) this.set({ type }, count);
    },
  });
  let countDeadLetters: () => readonly DeadLetterCount[] = () => [];
  new Gauge({
    name: "firerunner_dead_letters",
    help: "What kept failing and was set aside, by what was to be done.",
    labelNames: ["effect"],
    registers,
    collect() {
      this.reset();
      for (const { effect, count } of countDeadLetters()) this.set({ effect }, count);
    },
  });
  const vmCreation = new Histogram({
    name: "firerunner_vm_creation_duration_seconds",
    help: "Seconds from the decision on a microVM until its host says that it exists.",
    buckets: [0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300],
    registers,
  });
  const jobDuration = new Histogram({
    name: "firerunner_job_duration_seconds",
    help: "Seconds that a job ran, by the forge's clock.",
    buckets: [1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400],
    registers,
  });
  const reconcile = new Histogram({
    name: "firerunner_reconcile_duration_seconds",
    help: "Seconds that one pass of the loop took.",
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  const effects = new Counter({
    name: "firerunner_effects_total",
    help: "Calls to hosts and forges that plans asked for, by kind and outcome.",
    labelNames: ["effect", "outcome"],
    registers,
  });
  return {
    ...createForgeMetrics(registry),
    ...createQueueMetrics(registry),
    ...createReplicaMetrics(registry),
    jobFinished: (status) => jobs.inc({ status }),
    jobLost: (pool, policy) => lostJobs.inc({ pool, policy }),
    vmCreated: (durationS) => vmCreation.observe(durationS),
    jobRan: (durationS) => jobDuration.observe(durationS),
    reconciled: (durationS) => reconcile.observe(durationS),
    effect: (effect, outcome) => effects.inc({ effect, outcome }),
    countVms(source) {
      countVms = source;
    },
    countConditions(source) {
      countConditions = source;
    },
    countDeadLetters(source) {
      countDeadLetters = source;
    },
    countUnmatched(source) {
      countUnmatched = source;
    },
    contentType: registry.contentType,
    read: () => registry.metrics(),
  };
}
