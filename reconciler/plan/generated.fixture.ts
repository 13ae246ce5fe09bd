import fc from "fast-check";
import type { Condition } from "../model/condition.js";
import type { Connection } from "../model/connection.js";
import type { GuestReport, Hint } from "../model/front-door.js";
import type { Identity } from "../model/identity.js";
import { bootsOf } from "../model/image.js";
import { type Job, jobKey } from "../model/job.js";
import { macOf } from "../model/mark.js";
import type { Microvm } from "../model/microvm.js";
import { classTraits } from "../model/runner-class.js";
import { hostImages } from "./generated-images.fixture.js";
import { letters } from "./generated-letters.fixture.js";
import { poolRules, refs7or8, rulesOf, withGuarded } from "./generated-pools.fixture.js";
import { presences } from "./generated-presences.fixture.js";
import {
  aConnection,
  aConnectionView,
  aHost,
  aHostView,
  aJob,
  anIdentity,
  anImage,
  aPool,
  aReport,
  aSnapshot,
  aVm,
  now,
  shownVm,
} from "./snapshot.fixture.js";
import type { EffectState, HostView, ObservedMicrovm, Snapshot } from "./snapshot.js";

const ages = fc.constantFrom(0, 1_000, 8_000, 12_000, 25_000, 65_000, 130_000, 4_000_000);
const ago = ages.map((age) => now - age);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** One microVM and everything that belongs to it, in a state that the product can come into. */
interface Lot {
  readonly vm: Microvm;
  readonly identity: Identity | undefined;
  readonly report: GuestReport | undefined;
  readonly job: Job | undefined;
  readonly shown: ObservedMicrovm | undefined;
  readonly heardAt: number | undefined;
  readonly effects: readonly (readonly [string, EffectState])[];
}

const phases = fc.constantFrom<Microvm["phase"]>("allocated", "creating", "booting", "parked", "assigned", "busy", "draining", "deleting");

function lot(n: number): fc.Arbitrary<Lot> {
  const name = `vm-${n}`;
  const draws = fc.record({
    phase: phases,
    host: fc.constantFrom("host-a", "host-b", "gone"),
    pool: fc.constantFrom("pool", "pool", "other", "removed"),
    size: fc.constantFrom("small", "large", "unknown"),
    at: ago,
    claimed: fc.boolean(),
    givenBack: fc.boolean(),
    hasUid: fc.boolean(),
    committed: fc.boolean(),
    runner: fc.constantFrom("wanted", "asked", "ready", "paused", "settled", "idle", "runs", "absent"),
    jobStatus: fc.constantFrom<Job["status"]>("running", "success", "canceling", "canceled"),
    done: maybe(ago),
    fault: maybe(fc.record({ at: ago, code: fc.constantFrom("FR-GUEST-RESTARTED" as const, "FR-GUEST-INCIDENT" as const) })),
    shown: fc.constantFrom("created", "pending", "failed", "deleting", "missing"),
    heardAt: maybe(ago),
    accepted: fc.boolean(),
    inFlight: fc.constantFrom("none", "host", "runner", "resting"),
    failure: maybe(fc.constantFrom("FR-GUEST-LOST", "FR-VM-CREATE-FAILED", "FR-VM-ORPHAN")),
    boots: fc.constantFrom("as declared", "as declared", "as declared", "unknown", "as before"),
    firstUse: fc.boolean(),
    loss: fc.constantFrom("none", "none", "suspected", "confirmed", "cancelled", "refused"),
  });
  return draws.map((drawn): Lot => {
    const { phase, at } = drawn;
    const sent = phase !== "allocated";
    const leaving = phase === "draining" || phase === "deleting";
    const claimed = sent && (phase === "parked" || phase === "assigned" || phase === "busy" || (leaving && drawn.claimed));
    const committed = phase === "assigned" || phase === "busy" || (phase !== "parked" && drawn.committed);
    const hasUid = sent && (claimed || phase === "booting" || drawn.hasUid);
    const jobId = 1_000 + n;
    const ran = phase === "busy" || (leaving && claimed && committed && drawn.jobStatus !== "canceling");
    const key = jobKey({ connection: "forge", projectId: 7, jobId });
    const { uid: _uid, createSentAt: _sent, createdAt: _created, claimedAt: _claimed, ...base } = aVm({ name });
    const vm: Microvm = {
      ...base,
      pool: drawn.pool,
      sizeName: drawn.size,
      size: drawn.size === "large" ? { vcpu: 4, memoryMb: 4096 } : { vcpu: 1, memoryMb: 1024 },
      host: drawn.host,
      phase,
      address: `10.20.0.${n + 2}/24`,
      mac: macOf(drawn.host, n + 2),
      allocatedAt: at,
      identity: committed,
      ...(drawn.boots === "unknown" ? {} : { boots: `${bootsOf(anImage())}${drawn.boots === "as before" ? "-before" : ""}` }),
      ...(drawn.boots !== "unknown" && drawn.firstUse ? { firstUse: true } : {}),
      ...(committed ? { committedAt: at } : {}),
      ...(sent ? { createSentAt: at } : {}),
      ...(hasUid ? { uid: `uid-${name}`, createdAt: at } : {}),
      ...(claimed ? { claimedAt: at } : {}),
      ...(phase === "assigned" || phase === "busy" ? { assignedAt: at } : {}),
      ...(leaving ? { drainingAt: at, jobDeadlineAt: at + 3_660_000 } : {}),
      ...(ran ? { job: key, busyAt: at, jobDeadlineAt: at + 3_660_000 } : {}),
      ...(phase === "deleting" ? { deletingAt: at } : {}),
      ...(phase === "deleting" && hasUid && drawn.accepted ? { deleteAcceptedAt: at } : {}),
      ...(leaving && drawn.failure !== undefined ? { failure: { code: drawn.failure, message: "generated" } } : {}),
    };
    return {
      vm,
      identity: committed ? identityOf(vm, drawn.runner, n, at) : givenBack(vm, drawn.givenBack, n, at),
      report: claimed ? reportOf(vm, drawn.done, drawn.fault, at) : undefined,
      job: ran
        ? aJob({
            ...{ jobId, status: drawn.jobStatus, runnerId: 100 + n, vm: name, pool: vm.pool, size: vm.sizeName, readAt: at },
            ...(drawn.loss === "none" ? {} : { pipelineId: 5, vmLoss: lossOf(drawn.loss, at) }),
          })
        : undefined,
      shown: hasUid && drawn.shown !== "missing" ? shownVm({ name, state: drawn.shown }) : undefined,
      heardAt: claimed ? drawn.heardAt : undefined,
      effects: effectsOf(name, drawn.inFlight),
    };
  });
}

/** That its microVM was lost, and how far what is done about it has come. */
function lossOf(how: string, at: number): NonNullable<Job["vmLoss"]> {
  const suspected = { at, code: "FR-GUEST-LOST", message: "generated", policy: "cancel-and-retry" } as const;
  if (how === "suspected") return suspected;
  const confirmed = { ...suspected, confirmedAt: at };
  if (how === "confirmed") return confirmed;
  return how === "cancelled"
    ? { ...confirmed, cancelAskedAt: at }
    : { ...confirmed, givenUp: { code: "FR-FORGE-UNAUTHORIZED", message: "generated" } };
}

function identityOf(vm: Microvm, runner: string, n: number, at: number): Identity {
  const leaving = vm.phase === "draining" || vm.phase === "deleting";
  const delivered = vm.phase === "assigned" || vm.phase === "busy";
  const { sealedToken, runnerId: _runnerId, ...bare } = anIdentity({ vm: vm.name });
  if (!delivered && runner === "wanted") return { ...bare, state: leaving ? "leaving" : "wanted", attempts: 0 };
  if (!delivered && runner === "asked") return { ...bare, state: leaving ? "leaving" : "wanted", attempts: 1 };
  const made: Identity = {
    ...bare,
    state: leaving ? "leaving" : "ready",
    runnerId: 100 + n,
    ...(leaving || sealedToken === undefined ? {} : { sealedToken }),
  };
  if (runner === "absent") return { ...made, absent: true };
  if (runner === "ready" || runner === "wanted" || runner === "asked") return made;
  if (runner === "paused") return { ...made, pausedAt: now - 1_000 };
  const pausedAt = at - 20_000;
  if (runner === "settled") return { ...made, pausedAt };
  return { ...made, pausedAt, runningJobs: { count: runner === "runs" ? 1 : 0, at: pausedAt + 6_000 } };
}

/** A runner as its class's are. */
function asDeclared(identity: Identity, vm: Microvm, pools: Snapshot["pools"], connection: Connection): Identity {
  const pool = pools.find(({ spec }) => spec.name === vm.pool)?.spec;
  if (pool === undefined) return identity;
  const { tags, runUntagged, protectedOnly, scope } = classTraits(pool, vm.sizeName, connection);
  return { ...identity, tags: [...tags], runUntagged, scope, ...(protectedOnly ? { protectedOnly } : {}) };
}

/** The former runner of a microVM that gave it back before anything of it was delivered. */
function givenBack(vm: Microvm, isSo: boolean, n: number, at: number): Identity | undefined {
  const { sealedToken: _token, ...former } = identityOf(vm, "ready", n, at);
  return isSo && vm.phase !== "allocated" ? { ...former, state: "leaving", pausedAt: at } : undefined;
}

function reportOf(vm: Microvm, done: number | undefined, fault: GuestReport["fault"], at: number): GuestReport {
  return aReport({
    vm: vm.name,
    claimedAt: at,
    ...(vm.phase === "busy" ? { startedAt: at } : {}),
    ...(done === undefined ? {} : { done: { at: done, exitCode: 0, reason: "finished" } }),
    ...(fault === undefined ? {} : { fault }),
  });
}

function effectsOf(name: string, inFlight: string): Lot["effects"] {
  if (inFlight === "host" || inFlight === "runner") return [[`${inFlight}:${name}`, { state: "in-flight" }]];
  return inFlight === "resting" ? [[`host:${name}`, { state: "backing-off", until: now + 700 }]] : [];
}

const waitingJob = fc
  .record({
    jobId: fc.integer({ min: 1, max: 40 }),
    tags: fc.constantFrom<string[]>(["vm"], ["vm", "large"], ["vm", "2cpu-2gb"], ["vm", "64cpu-2gb"], ["other"], ["nobody"], []),
    queuedAt: ago,
    connection: fc.constantFrom("forge", "forge", "forge", "removed"),
    of: refs7or8,
  })
  .map(({ of, ...job }) => aJob({ ...job, ...of }));

function hostView(name: string): fc.Arbitrary<(shown: readonly ObservedMicrovm[]) => HostView> {
  return fc
    .record({
      readAt: maybe(fc.constantFrom(now - 1_000, now - 9_000, now - 40_000)),
      microvms: fc.integer({ min: 1, max: 6 }),
      standing: fc.constantFrom<HostView["standing"]>("open", "open", "open", "open", "cordoned", "draining", "forgotten"),
      drainDeadlineAt: maybe(fc.constantFrom(now - 1_000, now + 5_000)),
      failedRead: maybe(fc.constant({ code: "FR-HOST-UNREACHABLE", message: "generated" })),
      overcommit: fc.constantFrom(1, 4),
      dhcp: fc.boolean(),
      subnet: fc.constantFrom("10.20.0.0/24", "10.20.0.0/29"),
    })
    .map(({ readAt, microvms, standing, drainDeadlineAt, failedRead, overcommit, dhcp, subnet }) => (shown) => {
      const host = aHost({
        name,
        capacity: { vcpu: 8 / overcommit, memoryMb: 8192, microvms, vcpuOvercommit: overcommit },
        network: dhcp ? { mode: "dhcp" } : { mode: "static", subnet, gateway: "10.20.0.1", exclude: ["10.20.0.4"] },
      });
      const observation = { startedAt: (readAt ?? 0) - 10, at: readAt ?? 0, microvms: new Map(shown.map((vm) => [vm.uid, vm])) };
      return aHostView(host, [], {
        standing,
        drainDeadlineAt: standing === "draining" ? drainDeadlineAt : undefined,
        failedRead,
        observation: readAt === undefined ? undefined : observation,
      });
    });
}

/** Hints at a few jobs, or at more of one project than are read one by one. */
const hints = (maxJobId: number, minLength: number, maxLength: number) =>
  fc
    .uniqueArray(
      fc.record({
        connection: minLength === 0 ? fc.constantFrom("forge", "removed") : fc.constant("forge"),
        projectId: fc.constant(7),
        jobId: maybe(fc.integer({ min: 1, max: maxJobId })),
        firstSeenAt: ago,
        hookedAt: maybe(ago),
      }),
      { minLength, maxLength, selector: (hint) => `${hint.connection}/${hint.jobId}` },
    )
    .map((drawn) =>
      drawn.map(({ jobId, hookedAt, ...hint }): Hint => {
        return { ...hint, ...(jobId === undefined ? {} : { jobId }), ...(hookedAt === undefined ? {} : { hookedAt }) };
      }),
    );

/** Snapshots of every kind that the product may meet, most of them in some trouble. */
export const snapshots: fc.Arbitrary<Snapshot> = fc
  .record({
    lots: fc.integer({ min: 0, max: 7 }).chain((count) => fc.tuple(...Array.from({ length: count }, (_, n) => lot(n)))),
    waiting: fc.uniqueArray(waitingJob, { maxLength: 8, selector: jobKey }),
    hostA: hostView("host-a"),
    hostB: maybe(hostView("host-b")),
    orphan: fc.constantFrom("none", "none", "ours", "foreign"),
    readAt: maybe(fc.constantFrom(now - 1_000, now - 45_000, now - 90_000)),
    polledAt: maybe(fc.constantFrom(now - 1_000, now - 9_999, now - 45_000)),
    hookedAt: maybe(ago),
    newsByPollAt: maybe(ago),
    projectPolledAt: maybe(ago),
    maxMicrovms: fc.integer({ min: 2, max: 6 }),
    minIdle: fc.integer({ min: 0, max: 2 }),
    paused: fc.boolean(),
    onVmLoss: fc.constantFrom("report" as const, "cancel" as const, "cancel-and-retry" as const),
    otherPriority: fc.integer({ min: -1, max: 1 }),
    hints: fc.oneof({ arbitrary: hints(6, 0, 4), weight: 3 }, { arbitrary: hints(60, 12, 30), weight: 1 }),
    condition: maybe(
      fc.record({
        of: fc.constantFrom("host" as const, "host-image" as const, "class" as const, "connection" as const),
        until: fc.constantFrom(now - 700_000, now - 1_000, now + 3_000),
        count: fc.integer({ min: 1, max: 12 }),
      }),
    ),
    presences,
    letters,
    hostImages,
    rules: poolRules,
    presenceRunners: fc.constantFrom(true, true, false),
    // Which microVM has the runner of a pool that was declared anew.
    redeclared: fc.record({
      lot: fc.integer({ min: 0, max: 15 }),
      before: fc.constantFrom<Partial<Identity>>({ tags: ["former"] }, { scope: { groupId: 5 } }, { maxJobTimeoutS: 60 }),
    }),
    listeningSince: fc.constantFrom(now, now - 30_000, now - 4_000_000),
  })
  .map((drawn) => {
    const { lots, waiting, orphan } = drawn;
    const views = [drawn.hostA, ...(drawn.hostB === undefined ? [] : [drawn.hostB])].map((view, index) => {
      const name = index === 0 ? "host-a" : "host-b";
      const shown = lots.flatMap((one) => (one.vm.host === name && one.shown !== undefined ? [one.shown] : []));
      if (index === 0 && orphan !== "none")
        shown.push(shownVm({ name: "vm-orphan", ...(orphan === "foreign" ? { mark: undefined } : {}) }));
      return view(shown);
    });
    const connection = aConnection({ presenceRunners: drawn.presenceRunners });
    const pools = withGuarded(
      [
        {
          spec: aPool({
            maxMicrovms: drawn.maxMicrovms,
            minIdle: drawn.minIdle,
            idleTimeS: 20,
            limits: { vcpu: 4, memoryMb: 4096 },
            onVmLoss: drawn.onVmLoss,
            ...rulesOf(drawn.rules),
          }),
          paused: drawn.paused,
        },
        { spec: aPool({ name: "other", tags: ["other"], maxMicrovms: 2, priority: drawn.otherPriority }), paused: false },
      ],
      drawn.rules,
    );
    return aSnapshot({
      hosts: views,
      connections: [
        aConnectionView({
          spec: connection,
          readAt: drawn.readAt,
          polledAt: drawn.polledAt,
          protectedRefs: new Map(drawn.rules.read === undefined ? [] : [[7, drawn.rules.read]]),
        }),
      ],
      pools,
      jobs: [...waiting, ...lots.flatMap(({ job }) => job ?? [])],
      microvms: lots.map(({ vm }) => vm),
      identities: lots.flatMap(({ vm, identity }, n) =>
        identity === undefined
          ? []
          : [{ ...asDeclared(identity, vm, pools, connection), ...(n === drawn.redeclared.lot ? drawn.redeclared.before : {}) }],
      ),
      guestReports: new Map(lots.flatMap(({ report }) => (report === undefined ? [] : [[report.vm, report] as const]))),
      heardAt: new Map(lots.flatMap(({ vm, heardAt }) => (heardAt === undefined ? [] : [[vm.name, heardAt] as const]))),
      presences: drawn.presences.map(({ presence }) => presence),
      effects: new Map([...lots, ...drawn.presences].flatMap(({ effects }) => effects)),
      hints: drawn.hints,
      deadLetters: new Map(drawn.letters),
      hostImages: drawn.hostImages,
      conditions: drawn.condition === undefined ? [] : [conditionOf(drawn.condition)],
      listeningSince: drawn.listeningSince,
    });
  });

const subjects = {
  host: { kind: "host", name: "host-a" },
  "host-image": { kind: "host-image", name: "host-a/image" },
  class: { kind: "class", name: "pool/small" },
  connection: { kind: "connection", name: "forge" },
} as const;

function conditionOf({ of, until, count }: { of: keyof typeof subjects; until: number; count: number }): Condition {
  return {
    subject: subjects[of],
    type: of === "class" ? "NoJobTaken" : of === "connection" ? "RunnerLimit" : "CreateFailing",
    status: true,
    reason: "FR-VM-CREATE-FAILED",
    message: "generated",
    observedAt: until - 5_000,
    count,
    until,
  };
}
