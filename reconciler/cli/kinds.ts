import type { HostStatus } from "../http/host-status.js";
import type { Connection } from "../model/connection.js";
import type { Declared } from "../model/declared.js";
import type { Event } from "../model/event.js";
import type { Operation } from "../model/front-door.js";
import type { Host } from "../model/host.js";
import type { Image } from "../model/image.js";
import type { Microvm } from "../model/microvm.js";
import type { Pool, Size } from "../model/pool.js";
import type { Replica } from "../model/replica.js";
import type { AdminClient } from "./admin-client.js";
import type { ShownJob } from "./find-job.js";
import { eventMessage } from "./output/event-message.js";
import type { Cell } from "./output/table.js";
import { duration, timestamp } from "./output/times.js";
import type { Colour } from "./terminal.js";
import { UsageError } from "./usage-error.js";

/** What rows are made with: the time, and what the service says about hosts and connections. */
export interface RowContext {
  readonly now: number;
  readonly microvms: readonly Microvm[];
  readonly hostStatuses: ReadonlyMap<string, HostStatus>;
  readonly checks: ReadonlyMap<string, { readonly ok: boolean; readonly message?: string | undefined }>;
}

interface Column<T> {
  readonly title: string;
  readonly cell: (item: T, context: RowContext) => Cell;
  /** Shown with `-o wide` alone. */
  readonly wide?: true;
}

type Need = "microvms" | "checks" | "hostStatuses";

/** A kind of thing that can be shown. */
export interface ShownKind<T = unknown> {
  readonly name: string;
  readonly path: string;
  readonly columns: readonly Column<T>[];
  /** What the rows need beside the items. */
  readonly needs?: readonly Need[];
}

const none = "-";
const mb = (memoryMb: number): string => (memoryMb > 0 && memoryMb % 1024 === 0 ? `${memoryMb / 1024}G` : `${memoryMb}M`);
const sizeText = ({ vcpu, memoryMb }: Size): string => `${vcpu}x${mb(memoryMb)}`;
const labels = (map: Readonly<Record<string, string>>): string =>
  Object.entries(map)
    .map(([key, value]) => `${key}=${value}`)
    .join(",") || none;
/** Whether a connection's forge answered last. */
function answered({ spec }: Declared<Connection>, { checks }: RowContext): Cell {
  const check = checks.get(`connection/${spec.name}`);
  if (check === undefined) return "unknown";
  return check.ok ? { text: "ok", colour: "green" } : { text: check.message?.split(":")[0] ?? "failed", colour: "red" };
}

const standingColours = { open: "green", cordoned: "yellow", draining: "yellow", forgotten: "dim" } as const;

const hosts: ShownKind<Declared<Host>> = {
  name: "host",
  path: "/v1/hosts",
  needs: ["hostStatuses"],
  columns: [
    { title: "NAME", cell: ({ spec }) => spec.name },
    { title: "ENDPOINT", cell: ({ spec }) => spec.endpoint },
    { title: "REACHABLE", cell: ofStatus(reachableText) },
    { title: "STANDING", cell: ofStatus(({ standing }) => ({ text: standing, colour: standingColours[standing] })) },
    { title: "MICROVMS", cell: ofStatus(({ used, total }) => `${used.microvms}/${total.microvms}`) },
    { title: "VCPU", cell: ofStatus(({ used, total }) => `${used.vcpu}/${total.vcpu}`) },
    { title: "MEMORY", cell: ofStatus(({ used, total }) => `${mb(used.memoryMb)}/${mb(total.memoryMb)}`) },
    {
      title: "LAST READ",
      cell: ofStatus(({ lastReadAt }, { now }) => (lastReadAt === undefined ? "unknown" : `${duration(now - lastReadAt)} ago`)),
    },
    { title: "NETWORK", wide: true, cell: ({ spec }) => (spec.network.mode === "static" ? spec.network.subnet : "dhcp") },
    { title: "LABELS", wide: true, cell: ({ spec }) => labels(spec.labels) },
    { title: "GENERATION", wide: true, cell: ({ generation }) => String(generation) },
  ],
};

/** A cell of a host's status; a host that was declared just now has none yet. */
function ofStatus(cell: (status: HostStatus, context: RowContext) => Cell) {
  return ({ spec }: Declared<Host>, context: RowContext): Cell => {
    const status = context.hostStatuses.get(spec.name);
    return status === undefined ? "unknown" : cell(status, context);
  };
}

function reachableText({ reachable, message }: HostStatus): Cell {
  if (reachable === "yes") return { text: "yes", colour: "green" };
  return reachable === "unknown" ? "unknown" : { text: message?.split(":")[0] ?? "no", colour: "red" };
}

const images: ShownKind<Declared<Image>> = {
  name: "image",
  path: "/v1/images",
  columns: [
    { title: "NAME", cell: ({ spec }) => spec.name },
    { title: "ROOTFS", cell: ({ spec }) => spec.rootfs.image },
    { title: "KERNEL", cell: ({ spec }) => spec.kernel.image },
    { title: "ARCH", cell: ({ spec }) => spec.arch },
    { title: "BOOTSTRAP", wide: true, cell: ({ spec }) => spec.bootstrap },
    { title: "GENERATION", wide: true, cell: ({ generation }) => String(generation) },
  ],
};

const connections: ShownKind<Declared<Connection>> = {
  name: "connection",
  path: "/v1/connections",
  needs: ["checks"],
  columns: [
    { title: "NAME", cell: ({ spec }) => spec.name },
    { title: "KIND", cell: ({ spec }) => spec.kind },
    { title: "URL", cell: ({ spec }) => spec.url },
    { title: "SCOPE", cell: ({ spec }) => scopeText(spec.scope) },
    { title: "STATUS", cell: answered },
    { title: "GENERATION", wide: true, cell: ({ generation }) => String(generation) },
  ],
};

type ShownPool = Declared<Pool> & { readonly operations?: readonly Operation[] };

/** What operators said of a pool, or that it is to be removed. */
function poolStanding({ operations = [] }: ShownPool): Cell {
  const told = (operation: Operation["operation"]) => operations.some((each) => each.operation === operation);
  if (told("drain")) return { text: "draining", colour: "yellow" };
  return told("pause") ? { text: "paused", colour: "yellow" } : { text: "open", colour: "green" };
}

const pools: ShownKind<ShownPool> = {
  name: "pool",
  path: "/v1/pools",
  needs: ["microvms"],
  columns: [
    { title: "NAME", cell: ({ spec }) => spec.name },
    { title: "CONNECTION", cell: ({ spec }) => spec.connection },
    { title: "IMAGE", cell: ({ spec }) => spec.image },
    { title: "MICROVMS", cell: ({ spec }, { microvms }) => `${microvms.filter((vm) => vm.pool === spec.name).length}/${spec.maxMicrovms}` },
    { title: "STANDING", cell: poolStanding },
    { title: "IDLE", cell: ({ spec }) => String(spec.minIdle) },
    { title: "TAGS", cell: ({ spec }) => spec.tags.join(",") || none },
    {
      title: "SIZES",
      cell: ({ spec }) =>
        Object.entries(spec.sizes)
          .map(([name, size]) => `${name}=${sizeText(size)}`)
          .join(","),
    },
    { title: "UNTAGGED", wide: true, cell: ({ spec }) => String(spec.runUntagged) },
    { title: "PRIORITY", wide: true, cell: ({ spec }) => String(spec.priority) },
    { title: "GENERATION", wide: true, cell: ({ generation }) => String(generation) },
  ],
};

const microvms: ShownKind<Microvm> = {
  name: "microvm",
  path: "/v1/microvms",
  columns: [
    { title: "NAME", cell: (vm) => vm.name },
    { title: "POOL", cell: (vm) => vm.pool },
    { title: "SIZE", cell: (vm) => vm.sizeName },
    { title: "HOST", cell: (vm) => vm.host },
    { title: "PHASE", cell: (vm) => vm.phase },
    { title: "JOB", cell: (vm) => vm.job ?? none },
    { title: "AGE", cell: (vm, { now }) => duration(now - vm.allocatedAt) },
    { title: "FAILURE", cell: (vm) => (vm.failure === undefined ? none : { text: vm.failure.code, colour: "red" }) },
    { title: "ADDRESS", wide: true, cell: (vm) => vm.address ?? none },
    { title: "IMAGE", wide: true, cell: (vm) => vm.image },
    { title: "UID", wide: true, cell: (vm) => vm.uid ?? none },
    { title: "TRACE", wide: true, cell: (vm) => vm.traceId },
  ],
};

const statusColours: Partial<Record<ShownJob["status"], Colour>> = {
  success: "green",
  failed: "red",
  running: "cyan",
  pending: "yellow",
  canceled: "dim",
  skipped: "dim",
};

const jobs: ShownKind<ShownJob> = {
  name: "job",
  path: "/v1/jobs",
  columns: [
    { title: "JOB", cell: (job) => job.key },
    { title: "NAME", cell: (job) => job.name },
    { title: "STAGE", cell: (job) => job.stage },
    { title: "STATUS", cell: ({ status }) => ({ text: status, colour: statusColours[status] ?? "dim" }) },
    { title: "POOL", cell: (job) => job.pool ?? none },
    { title: "MICROVM", cell: (job) => job.vm ?? none },
    { title: "WAITED", cell: (job, { now }) => duration((job.startedAt ?? job.finishedAt ?? now) - job.queuedAt) },
    { title: "RAN", cell: (job, { now }) => (job.startedAt === undefined ? none : duration((job.finishedAt ?? now) - job.startedAt)) },
    { title: "WAITING FOR", cell: (job) => job.waitingReason?.code ?? none },
    { title: "HOST", wide: true, cell: (job) => job.host ?? none },
    { title: "SIZE", wide: true, cell: (job) => job.size ?? none },
    { title: "TAGS", wide: true, cell: (job) => job.tags.join(",") || none },
    { title: "PIPELINE", wide: true, cell: (job) => String(job.pipelineId ?? none) },
    { title: "REF", wide: true, cell: (job) => job.ref ?? none },
    { title: "TRACE", wide: true, cell: (job) => job.traceId },
  ],
};

/** Events are listed oldest first, as they happened. */
const events: ShownKind<Event> = {
  name: "event",
  path: "/v1/events",
  columns: [
    { title: "AT", cell: ({ at }) => timestamp(at) },
    { title: "TYPE", cell: ({ type }) => type },
    { title: "SUBJECT", cell: ({ subject }) => `${subject.kind}/${subject.name}` },
    { title: "MESSAGE", cell: eventMessage },
    { title: "SEQ", wide: true, cell: ({ seq }) => String(seq) },
    { title: "TRACE", wide: true, cell: ({ traceId }) => traceId ?? none },
  ],
};

const replicas: ShownKind<Replica> = {
  name: "replica",
  path: "/v1/replicas",
  columns: [
    { title: "NAME", cell: ({ name, isThis }) => (isThis ? `${name} (answers)` : name) },
    { title: "ROLE", cell: ({ epoch }) => (epoch === undefined ? "stands by" : { text: "leads", colour: "green" }) },
    { title: "EPOCH", cell: ({ epoch }) => epoch ?? none },
    { title: "BEHIND", cell: ({ behind }) => (behind === 0 ? "0" : { text: String(behind), colour: "yellow" }) },
    { title: "HEARD", cell: ({ toldAt }, { now }) => duration(now - toldAt) },
    { title: "UP", cell: ({ startedAt }, { now }) => duration(now - startedAt) },
    { title: "VERSION", cell: ({ version }) => version },
    { title: "ADMIN", cell: ({ adminUrl }) => adminUrl },
    { title: "REVISION", wide: true, cell: ({ revision }) => String(revision) },
  ],
};

/** Every kind that can be shown. What the admin API answers for a kind's path has that kind's form. */
const shownKinds = [hosts, images, connections, pools, microvms, jobs, events, replicas] as readonly ShownKind[];

/** The kind that a word means: `job`, `jobs`, `vm`, `vms`. */
export function kindOf(word: string): ShownKind {
  const singular = word.toLowerCase().replace(/s$/, "").replace(/^vm$/, "microvm");
  const kind = shownKinds.find(({ name }) => name === singular);
  if (kind === undefined) {
    throw new UsageError(`"${word}" is refused: must be one of ${shownKinds.map(({ name }) => `${name}s`).join(", ")}`);
  }
  return kind;
}

/** Fetches what the rows of a kind need beside its items. */
export async function rowContext(kind: ShownKind, client: AdminClient): Promise<RowContext> {
  const wants = (need: Need) => kind.needs?.includes(need) === true;
  const vms = wants("microvms") ? ((await client.list(microvms.path)) as readonly Microvm[]) : [];
  const statuses = wants("hostStatuses") ? ((await client.list("/v1/host-statuses")) as readonly HostStatus[]) : [];
  const { checks } = wants("checks") ? await client.readiness() : { checks: [] };
  return {
    now: Date.now(),
    microvms: vms,
    hostStatuses: new Map(statuses.map((status) => [status.name, status])),
    checks: new Map(checks.map((check) => [check.name, check])),
  };
}

function scopeText(scope: Connection["scope"]): string {
  if ("projectId" in scope) return `project ${scope.projectId}`;
  return "groupId" in scope ? `group ${scope.groupId}` : "instance";
}
