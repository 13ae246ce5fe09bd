import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createGitLabClient, type GitLabClient } from "../../reconciler/cli/dev/gitlab-client.js";
import { type Pushed, pushFolder } from "../../reconciler/cli/dev/push-folder.js";
import { systemRandom } from "../../reconciler/control/random.js";
import type { EmbeddedGitLab } from "../../reconciler/embedded/gitlab/start.js";
import type { VmDriver } from "../../reconciler/embedded/host/driver.js";
import { seededRandom } from "../../reconciler/embedded/host/seeded-random.js";
import { type EmbeddedHost, startEmbeddedHost } from "../../reconciler/embedded/host/start-embedded-host.js";
import { type RunningService, startService } from "../../reconciler/main.js";
import { systemClock } from "../../reconciler/model/clock.js";
import type { Scope } from "../../reconciler/model/connection.js";
import { errorCodes } from "../../reconciler/model/errors.js";
import type { FleetInput } from "../../reconciler/model/fleet.js";
import type { PoolInput } from "../../reconciler/model/pool.js";
import { serviceSchema } from "../../reconciler/model/service.js";
import { createLogger } from "../../reconciler/telemetry/logger.js";
import { type AtEnd, beginWorld } from "./begin-world.fixture.js";
import { startGitLabIn } from "./gitlab-in.fixture.js";
import { HttpGuestDriver, type RunnerConfig } from "./hosts-guests.fixture.js";

export interface HostsWorldOptions {
  readonly hosts: number;
  readonly seed: number;
  /** What running a job takes. */
  readonly work: (power: AbortSignal, runner: RunnerConfig) => Promise<void>;
  readonly pool?: Partial<PoolInput>;
  /** The project that the connection is for, by the name under which it is pushed; all projects when left out. */
  readonly project?: string;
}

/** What is left, wherever it could be. */
export type HostsLeftovers = Readonly<Record<"microvms" | "records" | "identities" | "runners" | "hints", number>>;

/** The real service between an embedded GitLab and embedded hosts whose guests are real on the wire, all in this process. */
export interface HostsWorld {
  readonly hosts: readonly EmbeddedHost[];
  readonly client: GitLabClient;
  readonly gitlab: EmbeddedGitLab;
  readonly service: RunningService;
  /** What must never be, in words: over capacity, an address given out twice, a job run twice, an unexplained job. */
  violations(): readonly string[];
  /** The names of all microVMs that were ever spawned, each with its uids: there should be one of each. */
  readonly spawned: ReadonlyMap<string, ReadonlySet<string>>;
  /** Which job ran on which microVM. */
  readonly ran: ReadonlyMap<string, number>;
  /** How many microVMs ended for which reason. */
  readonly failures: ReadonlyMap<string, number>;
  /** How many microVMs stood on the hosts at most at one time. */
  most(): number;
  /** Pushes a `.gitlab-ci.yml` as a project of its own. */
  push(name: string, ciFile: string): Promise<Pushed>;
  left(): Promise<HostsLeftovers>;
  stop(): Promise<void>;
}

const capacity = { vcpu: 8, memoryMb: 8192, microvms: 8 };
/** What a real host takes minutes for; it is the order of things that matters here. */
const timings = { buildMs: 20, removeMs: 10, backoffMs: 500, resyncMs: 3_000 };
const lookEveryMs = 50;
const explainedWithinMs = 15_000;

/** One host with what was ever seen on it. */
interface WatchedHost {
  readonly host: EmbeddedHost;
  /** The addresses and MACs of the VMs that it was asked to spawn, by uid. */
  readonly given: Map<string, readonly string[]>;
}

/** Starts the world, and watches it until it is stopped. */
export function startHostsWorld(options: HostsWorldOptions): Promise<HostsWorld> {
  return beginWorld("hosts", (directory, atEnd) => build(directory, options, atEnd));
}

async function build(directory: string, options: HostsWorldOptions, atEnd: AtEnd): Promise<Omit<HostsWorld, "stop">> {
  const violations = new Set<string>();
  const spawned = new Map<string, Set<string>>();
  const ran = new Map<string, number>();
  const note = (vm: string, jobId: number) => {
    if (ran.has(vm)) violations.add(`I9: ${vm} ran the jobs ${ran.get(vm)} and ${jobId}`);
    if ([...ran.values()].includes(jobId)) violations.add(`job ${jobId} ran twice, the second time on ${vm}`);
    ran.set(vm, jobId);
  };
  const hosts: WatchedHost[] = [];
  for (let n = 1; n <= options.hosts; n += 1) {
    const given = new Map<string, readonly string[]>();
    const driver = noting(new HttpGuestDriver({ ran: note }, options.work), given, spawned);
    const host = await startEmbeddedHost({
      listen: "127.0.0.1:0",
      driver,
      clock: systemClock,
      random: seededRandom(options.seed + n),
      timings,
    });
    hosts.push({ host, given });
    atEnd(() => host.stop());
  }
  const gitlab = await startGitLabIn(directory, atEnd);
  const secret = systemRandom.hex(24);
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  const client = createGitLabClient({ url: gitlab.url, token: gitlab.token });
  const scope = options.project === undefined ? undefined : { projectId: (await client.ensureProject(`root/${options.project}`)).id };
  const fleet = fleetOf(hosts, gitlab.url, `file:${file("token", gitlab.token)}`, `file:${file("secret", secret)}`, options.pool, scope);
  const anyPort = { listen: "127.0.0.1:0" };
  const service = await startService({
    service: serviceSchema.parse({
      owner: "hosts",
      stateDir: join(directory, "state"),
      store: { kind: "memory" },
      listeners: { public: anyPort, guest: anyPort, admin: anyPort },
      schedules: { pollS: 5, listHostsS: 2, sweepS: 10, settleS: 1 },
      fleetFile: file("fleet.yaml", JSON.stringify(fleet)),
    }),
    logger: createLogger({ level: "error", env: {}, destination: { write: () => undefined } }),
  });
  atEnd(() => service.stop());
  const failures = new Map<string, number>();
  atEnd(watchFailures(service, failures, violations));
  let most = 0;
  const looks = setInterval(() => {
    most = Math.max(most, look(hosts, violations));
    for (const { value: job } of service.store.list("job")) {
      const late = job.status === "pending" && job.waitingReason === undefined && Date.now() - job.readAt > explainedWithinMs;
      if (late) violations.add(`I1: job ${job.jobId} waits unexplained`);
    }
  }, lookEveryMs);
  atEnd(() => clearInterval(looks));

  const state = {
    pid: process.pid,
    gitlab: { url: gitlab.url, token: gitlab.token },
    webhook: { url: `${service.urls.public}/webhooks/gitlab/hosts`, secret },
    admin: { url: service.urls.admin, token: service.adminToken },
  };
  return {
    hosts: hosts.map(({ host }) => host),
    client,
    gitlab,
    service,
    violations: () => [...violations],
    spawned,
    ran,
    failures,
    most: () => most,
    push(name, ciFile) {
      const folder = join(directory, "projects", name);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, ".gitlab-ci.yml"), ciFile);
      return pushFolder(folder, client, state);
    },
    left: async () => ({
      microvms: hosts.reduce((sum, { host }) => sum + host.microvms().length, 0),
      records: service.store.count("microvm"),
      identities: service.store.count("identity"),
      runners: await client.countRunners(),
      hints: service.store.count("hint"),
    }),
  };
}

/** Counts the reasons for which microVMs ended; each must be a code. */
function watchFailures({ store }: RunningService, failures: Map<string, number>, violations: Set<string>): () => void {
  return store.watch(({ events }) => {
    for (const { type, message, subject } of events) {
      const failed = /\bafter (\S+)$/.exec(message)?.[1];
      if (type !== "MicrovmGone" || failed === undefined || message.includes("after job")) continue;
      failures.set(failed, (failures.get(failed) ?? 0) + 1);
      if (!(failed in errorCodes)) violations.add(`${subject.name} ended for "${failed}", which is no code`);
    }
  });
}

/** A driver that notes what it was asked to spawn. */
function noting(driver: VmDriver, given: Map<string, readonly string[]>, spawned: Map<string, Set<string>>): VmDriver {
  return {
    start: () => driver.start(),
    async create(vm) {
      spawned.set(vm.spec.id, new Set(spawned.get(vm.spec.id)).add(vm.uid));
      const own = vm.spec.interfaces.filter(({ deviceId }) => deviceId !== "eth0");
      given.set(
        vm.uid,
        own.flatMap(({ address, guestMac }) => [address?.address ?? "", guestMac ?? ""]).filter((text) => text !== ""),
      );
      await driver.create(vm);
    },
    isRunning: (uid) => driver.isRunning(uid),
    powerOff: (uid) => driver.powerOff(uid),
    async destroy(uid) {
      await driver.destroy(uid);
      given.delete(uid);
    },
    stop: () => driver.stop(),
  };
}

/** Looks at what really stands on the hosts; tells how many microVMs that are. */
function look(hosts: readonly WatchedHost[], violations: Set<string>): number {
  let all = 0;
  const seen = new Map<string, string>();
  hosts.forEach(({ host, given }, index) => {
    const shown = host.microvms();
    all += shown.length;
    if (shown.length > capacity.microvms) violations.add(`I2: host-${index + 1} has ${shown.length} microVMs`);
    const vcpu = shown.reduce((sum, { vcpu: of }) => sum + of, 0);
    const memoryMb = shown.reduce((sum, { memoryMb: of }) => sum + of, 0);
    if (vcpu > capacity.vcpu || memoryMb > capacity.memoryMb) violations.add(`I2: host-${index + 1} has ${vcpu} vCPU, ${memoryMb} MiB`);
    const taken = new Map<string, string>();
    for (const { uid, name } of shown) {
      const elsewhere = seen.get(name);
      if (elsewhere !== undefined) violations.add(`${name} is there twice: ${elsewhere} and ${uid}`);
      seen.set(name, uid);
      for (const what of given.get(uid) ?? []) {
        if (taken.has(what)) violations.add(`${name} and ${taken.get(what)} share ${what} on host-${index + 1}`);
        taken.set(what, name);
      }
    }
  });
  return all;
}

function fleetOf(
  hosts: readonly WatchedHost[],
  url: string,
  token: string,
  secret: string,
  pool: Partial<PoolInput> = {},
  scope: Scope = { instance: true },
): FleetInput {
  return {
    hosts: hosts.map(({ host }, index) => ({
      name: `host-${index + 1}`,
      endpoint: host.address,
      tls: { insecure: true },
      capacity,
      network: { mode: "static", subnet: `10.90.${index + 1}.0/28`, gateway: `10.90.${index + 1}.1` },
    })),
    images: [{ name: "shell", kernel: { image: "registry.example/kernel:6.1" }, rootfs: { image: "registry.example/shell:1" } }],
    connections: [{ name: "hosts", kind: "gitlab", url, token, scope, webhook: { secret } }],
    pools: [
      {
        name: "hosts",
        connection: "hosts",
        image: "shell",
        tags: ["hosts"],
        runUntagged: true,
        sizes: { small: { vcpu: 1, memoryMb: 1024 }, large: { vcpu: 2, memoryMb: 2048 } },
        size: "small",
        maxMicrovms: hosts.length * capacity.microvms,
        bootTimeoutS: 10,
        ...pool,
      },
    ],
  };
}
