import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGitLabClient, isOver } from "../../reconciler/cli/dev/gitlab-client.js";
import { type Pushed, pushFolder } from "../../reconciler/cli/dev/push-folder.js";
import { systemRandom } from "../../reconciler/control/random.js";
import { startEmbeddedGitLab } from "../../reconciler/embedded/gitlab/start.js";
import type { VmDriver } from "../../reconciler/embedded/host/driver.js";
import { parseFaultList } from "../../reconciler/embedded/host/fault-list.js";
import { seededRandom } from "../../reconciler/embedded/host/seeded-random.js";
import { type EmbeddedHost, startEmbeddedHost } from "../../reconciler/embedded/host/start-embedded-host.js";
import { startService } from "../../reconciler/main.js";
import { systemClock } from "../../reconciler/model/clock.js";
import { errorCodes } from "../../reconciler/model/errors.js";
import type { FleetInput } from "../../reconciler/model/fleet.js";
import { serviceSchema } from "../../reconciler/model/service.js";
import { createLogger } from "../../reconciler/telemetry/logger.js";
import { HttpGuestDriver } from "./hosts-guests.fixture.js";
import { until } from "./until.fixture.js";

export interface StormOptions {
  readonly hosts: number;
  readonly jobs: number;
  /** Faults of the hosts in the words of `firerunner dev --faults`. */
  readonly faults: string;
  readonly seed: number;
  readonly deadlineMs: number;
}

/** What a storm has shown. */
export interface StormReport {
  /** What must never be, in words: over capacity, an address given out twice, a job run twice, an unexplained job. */
  readonly violations: readonly string[];
  /** How many microVMs there were, and how many at most at one time. */
  readonly microvms: number;
  readonly most: number;
  /** How many microVMs ended for which reason. */
  readonly failures: ReadonlyMap<string, number>;
  readonly left: Readonly<Record<"microvms" | "records" | "identities" | "runners" | "hints", number>>;
  /** How many jobs ended how. */
  readonly jobs: ReadonlyMap<string, number>;
  readonly tookMs: number;
}

const capacity = { vcpu: 8, memoryMb: 8192, microvms: 8 };
/** What a real host takes minutes for; it is the order of things that matters here. */
const quick = { backoffMs: 500, resyncMs: 3_000 };
const jobsPerPipeline = 100;
const lookEveryMs = 50;
const explainedWithinMs = 15_000;
const tidyDeadlineMs = 120_000;

/** One host with what was ever seen on it. */
interface WatchedHost {
  readonly host: EmbeddedHost;
  /** The addresses and MACs of the VMs that it was asked to spawn, by uid. */
  readonly given: Map<string, readonly string[]>;
}

/**
 * The real service between an embedded GitLab and embedded hosts whose guests are real on the wire, all in this process,
 * while the hosts fail by chance. Watches the whole time, and counts what is left when every job is over.
 */
export async function runStorm(options: StormOptions): Promise<StormReport> {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "firerunner-storm-")));
  const ends: (() => Promise<unknown> | unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  try {
    return await storm(directory, options, (end) => ends.push(end));
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function storm(directory: string, options: StormOptions, atEnd: (end: () => Promise<unknown> | unknown) => void) {
  const beganAt = performance.now();
  const violations = new Set<string>();
  const ran = new Map<string, number>();
  const names = new Set<string>();
  const random = seededRandom(options.seed);
  const ranOnce = (vm: string, jobId: number) => {
    if (ran.has(vm)) violations.add(`I9: ${vm} ran the jobs ${ran.get(vm)} and ${jobId}`);
    ran.set(vm, jobId);
  };

  const hosts: WatchedHost[] = [];
  const { dials } = parseFaultList(options.faults);
  for (let n = 1; n <= options.hosts; n += 1) {
    const given = new Map<string, readonly string[]>();
    const driver = noting(new HttpGuestDriver({ ran: ranOnce }, () => 50 + random.next() * 250), given, names);
    const host = await startEmbeddedHost({
      listen: "127.0.0.1:0",
      driver,
      clock: systemClock,
      random: seededRandom(options.seed + n),
      timings: { buildMs: 20, removeMs: 10, ...quick },
    });
    host.dial(dials);
    hosts.push({ host, given });
    atEnd(() => host.stop());
  }
  const gitlab = await startEmbeddedGitLab({
    listen: "127.0.0.1:0",
    directory: join(directory, "gitlab"),
    clock: systemClock,
    random: systemRandom,
  });
  atEnd(() => gitlab.stop());
  const secret = systemRandom.hex(24);
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  const fleet = fleetOf(hosts, gitlab.url, `file:${file("token", gitlab.token)}`, `file:${file("secret", secret)}`);
  const anyPort = { listen: "127.0.0.1:0" };
  const service = await startService({
    service: serviceSchema.parse({
      owner: "storm",
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
  atEnd(
    service.store.watch(({ events }) => {
      for (const { type, message, subject } of events) {
        const failed = /\bafter (\S+)$/.exec(message)?.[1];
        if (type !== "MicrovmGone" || failed === undefined || message.includes("after job")) continue;
        failures.set(failed, (failures.get(failed) ?? 0) + 1);
        if (!(failed in errorCodes)) violations.add(`${subject.name} ended for "${failed}", which is no code`);
      }
    }),
  );
  let most = 0;
  const looks = setInterval(() => {
    most = Math.max(most, look(hosts, violations));
    for (const { value: job } of service.store.list("job")) {
      const late = job.status === "pending" && job.waitingReason === undefined && Date.now() - job.readAt > explainedWithinMs;
      if (late) violations.add(`I1: job ${job.jobId} waits unexplained`);
    }
  }, lookEveryMs);
  atEnd(() => clearInterval(looks));

  const client = createGitLabClient({ url: gitlab.url, token: gitlab.token });
  const state = {
    pid: process.pid,
    gitlab: { url: gitlab.url, token: gitlab.token },
    webhook: { url: `${service.urls.public}/webhooks/gitlab/storm`, secret },
    admin: { url: service.urls.admin, token: service.adminToken },
  };
  const pushed: Pushed[] = [];
  for (let from = 0; from < options.jobs; from += jobsPerPipeline) {
    const folder = join(directory, "projects", `storm-${from / jobsPerPipeline}`);
    mkdirSync(folder, { recursive: true });
    const count = Math.min(jobsPerPipeline, options.jobs - from);
    const jobs = Array.from({ length: count }, (_, n) => `job-${n}: {script: [exit 0], tags: [${n % 5 === 0 ? "large" : "small"}]}\n`);
    writeFileSync(join(folder, ".gitlab-ci.yml"), jobs.join(""));
    pushed.push(await pushFolder(folder, client, state));
  }
  const unfinished = new Set(pushed);
  await until(
    "every pipeline is over",
    async () => {
      for (const one of unfinished) if (isOver((await client.pipeline(one.project.id, one.pipeline.id)).status)) unfinished.delete(one);
      return unfinished.size === 0;
    },
    { deadlineMs: options.deadlineMs, everyMs: 500, tell: () => `${unfinished.size} pipelines; ${[...violations].join("\n")}` },
  );
  const count = async () => ({
    microvms: hosts.reduce((sum, { host }) => sum + host.microvms().length, 0),
    records: service.store.count("microvm"),
    identities: service.store.count("identity"),
    runners: await client.countRunners(),
    hints: service.store.count("hint"),
  });
  let left = await count();
  for (const limit = performance.now() + tidyDeadlineMs; Object.values(left).some((n) => n > 0) && performance.now() < limit; ) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    left = await count();
  }
  const jobs = new Map<string, number>();
  for (const { project, pipeline } of pushed) {
    for (const { status } of await client.jobs(project.id, pipeline.id)) jobs.set(status, (jobs.get(status) ?? 0) + 1);
  }
  return { violations: [...violations], microvms: names.size, most, failures, left, jobs, tookMs: performance.now() - beganAt };
}

/** A driver that notes what it was asked to spawn. */
function noting(driver: VmDriver, given: Map<string, readonly string[]>, names: Set<string>): VmDriver {
  return {
    start: () => driver.start(),
    async create(vm) {
      names.add(vm.spec.id);
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

function fleetOf(hosts: readonly WatchedHost[], url: string, token: string, secret: string): FleetInput {
  return {
    hosts: hosts.map(({ host }, index) => ({
      name: `host-${index + 1}`,
      endpoint: host.address,
      tls: { insecure: true },
      capacity,
      network: { mode: "static", subnet: `10.90.${index + 1}.0/28`, gateway: `10.90.${index + 1}.1` },
    })),
    images: [{ name: "shell", kernel: { image: "registry.example/kernel:6.1" }, rootfs: { image: "registry.example/shell:1" } }],
    connections: [{ name: "storm", kind: "gitlab", url, token, scope: { instance: true }, webhook: { secret } }],
    pools: [
      {
        name: "storm",
        connection: "storm",
        image: "shell",
        tags: ["storm"],
        sizes: { small: { vcpu: 1, memoryMb: 1024 }, large: { vcpu: 2, memoryMb: 2048 } },
        size: "small",
        maxMicrovms: hosts.length * capacity.microvms,
        bootTimeoutS: 10,
      },
    ],
  };
}
