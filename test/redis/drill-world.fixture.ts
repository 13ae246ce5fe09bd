import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createGitLabClient, type GitLabClient } from "../../reconciler/cli/dev/gitlab-client.js";
import { type Pushed, pushFolder } from "../../reconciler/cli/dev/push-folder.js";
import { systemRandom } from "../../reconciler/control/random.js";
import { type EmbeddedHost, startEmbeddedHost } from "../../reconciler/embedded/host/start-embedded-host.js";
import { systemClock } from "../../reconciler/model/clock.js";
import type { FleetInput } from "../../reconciler/model/fleet.js";
import type { ServiceInput } from "../../reconciler/model/service.js";
import { type AtEnd, beginWorld } from "../e2e/begin-world.fixture.js";
import { startGitLabIn } from "../e2e/gitlab-in.fixture.js";
import { HttpGuestDriver, type RunnerConfig } from "../e2e/hosts-guests.fixture.js";
import { startBalancer } from "./balancer.fixture.js";
import { adminToken, prepareReplica, type ReplicaProcess } from "./replica-process.fixture.js";
import { startWatchedRedis, type WatchedRedis } from "./sentinel.fixture.js";

export interface DrillWorldOptions {
  readonly hosts: number;
  /** What running a job takes. */
  readonly work: (power: AbortSignal, runner: RunnerConfig) => Promise<void>;
}

/** What is left, wherever it could be. */
export type DrillLeftovers = Readonly<Record<"microvms" | "records" | "identities" | "runners", number>>;

/**
 * Three replicas of the real service, each a process of its own, behind a load balancer and on a Redis with Sentinel; GitLab and
 * hosts are embedded, and guests real on the wire.
 */
export interface DrillWorld {
  readonly replicas: readonly ReplicaProcess[];
  readonly redis: WatchedRedis;
  readonly client: GitLabClient;
  readonly webhook: { readonly url: string; readonly secret: string };
  /** Which job ran on which microVM, and what ran twice. */
  readonly ran: ReadonlyMap<string, number>;
  readonly twice: readonly string[];
  push(name: string, ciFile: string): Promise<Pushed>;
  /** What is left; rejects while no replica answers. */
  left(): Promise<DrillLeftovers>;
  stop(): Promise<void>;
}

const capacity = { vcpu: 8, memoryMb: 8192, microvms: 8 };
const timings = { buildMs: 20, removeMs: 10, backoffMs: 500, resyncMs: 3_000 };
const replicaNames = ["red", "green", "blue"];

export function startDrillWorld(options: DrillWorldOptions): Promise<DrillWorld> {
  return beginWorld("drill", (directory, atEnd) => build(directory, options, atEnd));
}

async function build(directory: string, options: DrillWorldOptions, atEnd: AtEnd): Promise<Omit<DrillWorld, "stop">> {
  const ran = new Map<string, number>();
  const jobs = new Map<number, string>();
  const twice: string[] = [];
  const note = (vm: string, jobId: number) => {
    const [before, elsewhere] = [ran.get(vm), jobs.get(jobId)];
    if (before !== undefined) twice.push(`${vm} ran the jobs ${before} and ${jobId}`);
    if (elsewhere !== undefined) twice.push(`job ${jobId} ran on ${elsewhere} and on ${vm}`);
    ran.set(vm, jobId);
    jobs.set(jobId, vm);
  };
  const hosts: EmbeddedHost[] = [];
  for (let n = 0; n < options.hosts; n += 1) {
    const driver = new HttpGuestDriver({ ran: note }, options.work);
    const host = await startEmbeddedHost({ listen: "127.0.0.1:0", driver, clock: systemClock, random: systemRandom, timings });
    atEnd(() => host.stop());
    hosts.push(host);
  }
  const gitlab = await startGitLabIn(directory, atEnd);
  const client = createGitLabClient(gitlab);
  const redis = await startWatchedRedis();
  atEnd(() => redis.stop());

  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  const secret = systemRandom.hex(24);
  const fleet = fleetOf(hosts, gitlab.url, `file:${file("token", gitlab.token)}`, `file:${file("secret", secret)}`);
  const fleetFile = file("fleet.yaml", JSON.stringify(fleet));
  const key = `file:${file("key", systemRandom.hex(32))}`;
  const store: ServiceInput["store"] = {
    kind: "redis",
    sentinels: [`127.0.0.1:${redis.sentinelPort}`],
    name: redis.name,
    minReplicas: 1,
  };
  const replicas: ReplicaProcess[] = [];
  const [guests, hooks] = [await startBalancer(), await startBalancer()];
  atEnd(() => Promise.all([guests.stop(), hooks.stop()]));
  for (const name of replicaNames) {
    const replica = await prepareReplica(directory, name, {
      ...{
        owner: "drill",
        drainS: 1,
        store,
        key,
        fleetFile,
        admin: { token: "env:ADMIN_TOKEN" },
        guest: { url: `http://127.0.0.1:${guests.port}` },
      },
      schedules: { pollS: 5, listHostsS: 2, sweepS: 10, settleS: 1 },
    });
    atEnd(() => replica.stop());
    replicas.push(replica);
    const ready = { readyUrl: `${replica.adminUrl}/ready`, token: adminToken };
    guests.add({ port: replica.ports.guest, ...ready });
    hooks.add({ port: replica.ports.public, ...ready });
    replica.start();
  }

  const webhook = { url: `http://127.0.0.1:${hooks.port}/webhooks/gitlab/drill`, secret };
  const state = { pid: process.pid, gitlab, webhook, admin: { url: "", token: adminToken } };
  async function count(path: string): Promise<number> {
    for (const replica of replicas) {
      const answer = await replica.read(`/v1/${path}?limit=1000`).catch(() => undefined);
      if (answer !== undefined) return (answer as { readonly items: readonly unknown[] }).items.length;
    }
    throw new Error(`no replica answers\n${replicas.map((replica) => replica.output().slice(-2_000)).join("\n")}`);
  }
  return {
    ...{ replicas, redis, client, webhook, ran, twice },
    push(name, ciFile) {
      const folder = join(directory, "projects", name);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, ".gitlab-ci.yml"), ciFile);
      return pushFolder(folder, client, state);
    },
    left: async () => ({
      microvms: hosts.reduce((sum, host) => sum + host.microvms().length, 0),
      records: await count("microvms"),
      identities: await count("identities"),
      runners: await client.countRunners(),
    }),
  };
}

function fleetOf(hosts: readonly EmbeddedHost[], url: string, token: string, secret: string): FleetInput {
  return {
    hosts: hosts.map(({ address }, index) => ({
      name: `host-${index + 1}`,
      endpoint: address,
      tls: { insecure: true },
      capacity,
      network: { mode: "static", subnet: `10.91.${index + 1}.0/27`, gateway: `10.91.${index + 1}.1` },
    })),
    images: [{ name: "shell", kernel: { image: "registry.example/kernel:6.1" }, rootfs: { image: "registry.example/shell:1" } }],
    connections: [{ name: "drill", kind: "gitlab", url, token, scope: { instance: true }, webhook: { secret } }],
    pools: [
      {
        name: "drill",
        connection: "drill",
        image: "shell",
        tags: ["drill"],
        runUntagged: true,
        sizes: { small: { vcpu: 1, memoryMb: 1024 } },
        size: "small",
        maxMicrovms: hosts.length * capacity.microvms,
        bootTimeoutS: 60,
      },
    ],
  };
}
