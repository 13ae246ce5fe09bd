import type { Condition } from "../model/condition.js";
import type { GuestReport } from "../model/front-door.js";
import type { Host, HostInput } from "../model/host.js";
import type { Identity } from "../model/identity.js";
import { type Image, imageSchema } from "../model/image.js";
import type { Job } from "../model/job.js";
import { macOf } from "../model/mark.js";
import type { Microvm } from "../model/microvm.js";
import type { Pool, PoolInput } from "../model/pool.js";
import type { Presence } from "../model/presence.js";
import { simulatedConnection, simulatedHost, simulatedPool } from "../simulator/fleet.js";
import type { ConnectionView, HostView, ObservedMicrovm, Snapshot } from "./snapshot.js";

/** The moment at which snapshots are taken unless a test says otherwise. */
export const now = 1_700_000_000_000;

export const aHost = (host: Partial<HostInput> = {}): Host => simulatedHost({ name: "host-a", ...host });

export const anImage = (image: Partial<Image> = {}): Image =>
  imageSchema.parse({
    name: "image",
    kernel: { image: "registry.example/kernel:6.1" },
    rootfs: { image: "registry.example/root:1" },
    ...image,
  });

export const aConnection = simulatedConnection;

/** A pool with a `small` and a `large` size, whose jobs carry the tag `vm`. */
export const aPool = (pool: Partial<PoolInput> = {}): Pool => simulatedPool(pool);

export const aJob = (job: Partial<Job> = {}): Job => ({
  connection: "forge",
  projectId: 7,
  jobId: 1,
  name: "test",
  stage: "test",
  status: "pending",
  tags: ["vm"],
  protected: false,
  allowFailure: false,
  queuedAt: now - 1_000,
  readAt: now - 500,
  traceId: "0".repeat(32),
  ...job,
});

/** A microVM that idles: claimed, and without a runner. */
export const aVm = (vm: Partial<Microvm> = {}): Microvm => ({
  name: "vm-one",
  pool: "pool",
  connection: "forge",
  image: "image",
  sizeName: "small",
  size: { vcpu: 1, memoryMb: 1024 },
  host: "host-a",
  phase: "parked",
  uid: `uid-${vm.name ?? "vm-one"}`,
  address: "10.20.0.2/24",
  mac: macOf("host-a", 2),
  allocatedAt: now - 10_000,
  createSentAt: now - 9_900,
  createdAt: now - 9_800,
  claimedAt: now - 5_000,
  identity: false,
  traceId: "0".repeat(32),
  ...vm,
});

/** The runner of a microVM, made and not yet delivered. */
export const anIdentity = (identity: Partial<Identity> = {}): Identity => ({
  vm: "vm-one",
  connection: "forge",
  description: `firerunner/owner/pool/${identity.vm ?? "vm-one"}`,
  tags: ["vm", "small"],
  runUntagged: false,
  maxJobTimeoutS: 3600,
  state: "ready",
  attempts: 1,
  runnerId: 100,
  sealedToken: "sealed",
  ...identity,
});

/** A presence runner as the forge is to see it. */
/** A class that is held back since its microVMs found no job. */
export const aClassHeldBack = (condition: Partial<Condition> = {}): Condition => ({
  subject: { kind: "class", name: "pool/small" },
  type: "NoJobTaken",
  status: true,
  reason: "FR-VM-NO-JOB",
  message: "",
  observedAt: now,
  count: 1,
  until: now + 5_000,
  ...condition,
});

export const aPresence = (presence: Partial<Presence> = {}): Presence => ({
  name: "pr-one",
  connection: "forge",
  pool: "pool",
  size: "small",
  description: "firerunner/owner/pool/pr-one",
  tags: ["vm", "small"],
  runUntagged: false,
  protectedOnly: false,
  scope: { instance: true },
  state: "present",
  attempts: 1,
  runnerId: 500,
  sealedToken: "sealed:token",
  heardAt: now - 60_000,
  ...presence,
});
export const aReport = (report: Partial<GuestReport> = {}): GuestReport => ({
  vm: "vm-one",
  bootId: "boot",
  secretSha256: "a".repeat(64),
  claimedAt: now - 5_000,
  ...report,
});

export const shownVm = (vm: Partial<ObservedMicrovm> = {}): ObservedMicrovm => ({
  uid: `uid-${vm.name ?? "vm-one"}`,
  name: "vm-one",
  state: "created",
  retry: 0,
  mark: { vm: vm.name ?? "vm-one", pool: "pool", connection: "forge" },
  ...vm,
});

/** A host that was read a second ago and showed these. */
export const aHostView = (host: Host = aHost(), shown: readonly ObservedMicrovm[] = [], view: Partial<HostView> = {}): HostView => ({
  spec: host,
  standing: "open",
  observation: { startedAt: now - 1_010, at: now - 1_000, microvms: new Map(shown.map((vm) => [vm.uid, vm])) },
  ...view,
});

/** A connection that was read a second ago. */
export const aConnectionView = (view: Partial<ConnectionView> = {}): ConnectionView => ({
  spec: aConnection(),
  readAt: now - 1_000,
  polledAt: now - 1_000,
  projectsPolledAt: new Map(),
  hookedAt: undefined,
  newsByPollAt: undefined,
  sweptAt: now - 1_000,
  checkedAt: now - 1_000,
  ...view,
});

/** A world in which one host, one image, one connection and one pool are declared; the host shows the microVMs that it has made. */
export function aSnapshot(snapshot: Partial<Snapshot> = {}): Snapshot {
  const microvms = snapshot.microvms ?? [];
  const shown = microvms
    .filter((vm) => vm.uid !== undefined && vm.host === "host-a")
    .map((vm) => shownVm({ name: vm.name, ...(vm.uid === undefined ? {} : { uid: vm.uid }) }));
  return {
    now,
    seed: { name: "abcdefghij", trace: "1".repeat(28) },
    owner: "owner",
    listeningSince: now - 3_600_000,
    schedules: { pollMs: 10_000, pollHealthyMs: 60_000, listHostsMs: 10_000, sweepMs: 60_000, settleMs: 5_000 },
    hosts: [aHostView(aHost(), shown)],
    images: [anImage()],
    connections: [aConnectionView()],
    pools: [{ spec: aPool(), paused: false }],
    hints: [],
    jobs: [],
    microvms,
    identities: [],
    presences: [],
    guestReports: new Map(microvms.filter((vm) => vm.claimedAt !== undefined).map((vm) => [vm.name, aReport({ vm: vm.name })])),
    heardAt: new Map(),
    effects: new Map(),
    deadLetters: new Map(),
    hostImages: [],
    ...snapshot,
    conditions: [...whatIsUsual(snapshot.hosts ?? [aHostView()]), ...(snapshot.conditions ?? [])],
  };
}

/** What is judged of hosts of which nothing is to be said. */
const usual: readonly Pick<Condition, "type" | "status" | "reason" | "message">[] = [
  { type: "Reachable", status: true, reason: "Listed", message: "it answers" },
  { type: "Accepting", status: true, reason: "Open", message: "it takes new microVMs" },
  { type: "Degraded", status: false, reason: "AsExpected", message: "nothing is wrong as far as can be seen" },
];

const whatIsUsual = (hosts: readonly HostView[]): readonly Condition[] =>
  hosts.flatMap(({ spec: { name } }) => usual.map((judged) => ({ ...judged, subject: { kind: "host", name }, observedAt: now, count: 0 })));

/** The conditions that are not what is judged of every host, or what follows every microVM. */
export const remarkable = (conditions: readonly Condition[]): readonly Condition[] =>
  conditions.filter(({ type }) => type !== "Resting" && usual.every((judged) => judged.type !== type));
