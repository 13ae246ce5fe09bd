import { isFinished } from "../model/job.js";
import { namespaceOf } from "../model/mark.js";
import { isLeaving } from "../model/microvm.js";
import { Draft } from "../plan/draft.js";
import { idleNumbersAt, idleTarget } from "../plan/idle-target.js";
import type { Snapshot } from "../plan/snapshot.js";
import { countsAgainstPool } from "../plan/supply.js";
import { checkPresences, checkPresencesAtEnd, lastingPresences } from "./presence-invariants.js";
import { owner } from "./service-process.js";
import type { Machine } from "./simulated-hosts.js";
import type { World } from "./world.js";

const explainedWithinMs = 5_000;

/** A snapshot in which nothing was seen: what is counted is counted from records alone. */
const unseen: Snapshot = {
  now: 0,
  seed: { name: "", trace: "" },
  owner,
  listeningSince: 0,
  schedules: { pollMs: 0, pollHealthyMs: 0, listHostsMs: 0, sweepMs: 0, settleMs: 0 },
  hosts: [],
  images: [],
  connections: [],
  pools: [],
  hints: [],
  jobs: [],
  microvms: [],
  identities: [],
  presences: [],
  guestReports: new Map(),
  conditions: [],
  deadLetters: new Map(),
  hostImages: [],
  heardAt: new Map(),
  effects: new Map(),
};

/** What must hold at every moment, whatever happens. */
export function checkAlways(world: World): void {
  checkLimits(world);
  checkCapacity(world);
  checkAddresses(world);
  checkForgotten(world);
  checkCredentials(world);
  checkExplained(world);
  checkPresences(world);
}

/** What must hold when the faults have stopped and everything that was pushed is over. */
export function checkAtEnd(world: World): void {
  const { store, hosts, forge, violate } = bound(world);
  for (const job of forge.jobs.values()) {
    if (!isFinished(job.status)) violate(`I7: job ${job.jobId} is still ${job.status}`);
    const record = world.recordOf(job);
    if (record !== undefined && record.status !== job.status)
      violate(`I7: job ${job.jobId} is ${job.status} and recorded as ${record.status}`);
    if (job.status === "failed" && job.outcome === "success" && !world.guests.lost.has(job.jobId) && !isGivenUp(world, job.jobId))
      violate(`job ${job.jobId} was lost`);
    if (job.history.filter((status) => status === "running").length > 1) violate(`job ${job.jobId} ran twice: ${job.history.join(", ")}`);
  }
  checkLosses(world);
  const warm = keptReady(world);
  const vms = store.list("microvm").map(({ value }) => value);
  if (vms.length !== warm)
    violate(`I7: ${vms.length} microVMs instead of ${warm}: ${vms.map((vm) => `${vm.name} ${vm.phase}`).join(", ")}`);
  if (vms.some((vm) => vm.identity)) violate("a warm microVM has a credential");
  const machines = [...hosts.machines.values()];
  const strangers = machines.filter((machine) => !vms.some((vm) => vm.uid === machine.uid));
  if (strangers.length > 0) violate(`I3: on hosts without a record: ${strangers.map((machine) => machine.record.name).join(", ")}`);
  checkPresencesAtEnd(world);
  checkHostImages({ store, hosts, forge, violate });
  if (store.count("identity") > 0) violate(`I5: ${store.count("identity")} identities are left`);
  if (store.count("hint") > 0) violate(`${store.count("hint")} hints are left`);
  const letters = store.list("deadLetter").map(({ key }) => key);
  if (letters.length > 0) violate(`I7: dead letters are left although they were asked for again: ${letters.join(", ")}`);
  if (store.count("guestReport") > vms.length) violate(`${store.count("guestReport")} guest reports are left`);
}

/** Where calls failed for an hour the forge fails jobs that no runner came for, in its own time. */
const isGivenUp = ({ mayGiveUp, forge }: World, jobId: number): boolean => mayGiveUp && forge.givenUp.has(jobId);

/** Whether nothing is left to be done: asked often, so it only counts. */
export function isQuiet(world: World): boolean {
  const { store, hosts, forge } = world;
  const lasting = lastingPresences(world);
  const warm = keptReady(world);
  if (store.count("microvm") !== warm || hosts.machines.size !== warm || forge.runners.size !== lasting) return false;
  if ([...forge.runners.values()].some(({ paused }) => paused)) return false;
  const presences = store.list("presence");
  if (presences.length !== lasting || presences.some(({ value }) => value.state !== "present")) return false;
  if (store.count("identity") > 0 || store.count("hint") > 0 || store.count("guestReport") !== warm) return false;
  if (store.count("deadLetter") > 0) return false;
  return [...forge.jobs.values()].every((job) => isFinished(job.status) && [job.status, undefined].includes(world.recordOf(job)?.status));
}

/** How many microVMs there are to be in this minute when nothing is in use. */
const keptReady = (world: World): number =>
  world.store.list("pool").reduce((sum, { value }) => sum + idleTarget(idleNumbersAt(value.spec, world.now()), 0), 0);

function bound(world: World) {
  return { store: world.store, hosts: world.hosts, forge: world.forge, violate: (what: string) => world.violate(what) };
}

/** I2: a pool's limit, by the product's own way of counting. */
function checkLimits(world: World): void {
  const { store } = world;
  const microvms = store.list("microvm").map(({ value }) => value);
  if (microvms.length === 0) return;
  const draft = new Draft({
    ...unseen,
    microvms,
    identities: store.list("identity").map(({ value }) => value),
    guestReports: new Map(store.list("guestReport").map(({ key, value }) => [key, value])),
  });
  const used = new Map<string, number>();
  for (const vm of microvms) {
    if (vm.failure?.code !== "FR-VM-ORPHAN" && countsAgainstPool(draft, vm)) used.set(vm.pool, (used.get(vm.pool) ?? 0) + 1);
  }
  for (const { value } of store.list("pool")) {
    const { name, maxMicrovms } = value.spec;
    const counted = used.get(name) ?? 0;
    if (counted > maxMicrovms) world.violate(`I2: pool ${name} has ${counted} of ${maxMicrovms}`);
  }
}

/** I2: what really stands on a host. */
function checkCapacity(world: World): void {
  for (const { value } of world.store.list("host")) {
    const { name, capacity } = value.spec;
    // What other owners have there cannot be seen.
    const machines = [...world.hosts.machines.values()].filter(
      (machine) => machine.host === name && machine.namespace === namespaceOf(owner) && !wasForgotten(world, machine),
    );
    const vcpu = machines.reduce((sum, { record }) => sum + record.size.vcpu, 0);
    const memoryMb = machines.reduce((sum, { record }) => sum + record.size.memoryMb, 0);
    if (machines.length > capacity.microvms || vcpu > capacity.vcpu || memoryMb > capacity.memoryMb) {
      world.violate(`I2: host ${name} has ${machines.length} microVMs, ${vcpu} vCPU, ${memoryMb} MiB`);
    }
  }
}

/** Of hosts that are declared and of no others it is known what they ran, and only where they are now. */
function checkHostImages({ store, violate }: ReturnType<typeof bound>): void {
  for (const { key, value } of store.list("hostImages")) {
    if (store.get("host", key)?.value.spec.endpoint !== value.endpoint) violate(`images are known of host ${key}, which is none`);
  }
}

/** A Create that was under way while the store was lost is known of only when its host shows what came of it. */
const wasForgotten = (world: World, { sentAt, madeAt }: Machine): boolean =>
  world.lostStoreAt !== undefined && sentAt <= world.lostStoreAt && madeAt >= world.lostStoreAt;

function checkAddresses(world: World): void {
  const taken = new Map<string, string>();
  for (const machine of world.hosts.machines.values()) {
    const { host, record, uid } = machine;
    if (wasForgotten(world, machine)) continue;
    for (const what of [record.address ?? uid, record.mac]) {
      const other = taken.get(`${host} ${what}`);
      if (other !== undefined && other !== record.name) world.violate(`${record.name} and ${other} share ${what} on ${host}`);
      taken.set(`${host} ${what}`, record.name);
    }
  }
}

/** I3: unknown is not empty: what is known to have been made is known until its host says that it is gone. */
function checkForgotten(world: World): void {
  for (const { value } of world.store.list("microvm")) if (value.uid !== undefined) world.known.add(value.uid);
  for (const { uid, host, record } of world.hosts.machines.values()) {
    if (world.known.has(uid) && world.store.get("microvm", record.name) === undefined) {
      world.violate(`I3: ${record.name} stands on ${host} and was forgotten`);
    }
  }
}

/** I9. */
function checkCredentials(world: World): void {
  for (const { request, took } of world.forge.runners.values()) {
    if (took.length > 1) world.violate(`I9: runner ${request.description} took the jobs ${took.join(", ")}`);
  }
  for (const { value: vm } of world.store.list("microvm")) {
    if (isLeaving(vm)) world.left.add(vm.name);
    else if (world.left.has(vm.name)) world.violate(`${vm.name} came back to supply`);
  }
}

/** Only what was lost is cancelled, only what was cancelled for that is retried, and each name once for as long as the store knows of it. */
function checkLosses(world: World): void {
  const retries = new Map<string, number>();
  for (const job of world.forge.jobs.values()) {
    if (job.cancelledFor === "its-service" && !world.guests.lost.has(job.jobId))
      world.violate(`job ${job.jobId} was cancelled while it ran`);
    if (job.retryOf === undefined) continue;
    retries.set(job.name, (retries.get(job.name) ?? 0) + 1);
    if (world.forge.jobs.get(job.retryOf)?.cancelledFor !== "its-service") world.violate(`job ${job.retryOf} was retried unasked`);
  }
  if (world.lostStoreAt !== undefined) return;
  for (const [name, count] of retries) if (count > 1) world.violate(`"${name}" was retried ${count} times`);
}

/** I1. */
function checkExplained(world: World): void {
  if (world.workingSince === undefined || world.clock.now() - world.workingSince < 45_000) return;
  const now = world.now();
  for (const { key, value: job } of world.store.list("job")) {
    if (job.status !== "pending" || job.waitingReason !== undefined || now - job.readAt < explainedWithinMs) continue;
    world.violate(`I1: job ${key} waits unexplained`);
  }
}
