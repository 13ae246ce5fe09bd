import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createGitLabClient, type GitLabClient, isOver, type PipelineJob } from "../../reconciler/cli/dev/gitlab-client.js";
import { type Pushed, pushFolder } from "../../reconciler/cli/dev/push-folder.js";
import { systemRandom } from "../../reconciler/control/random.js";
import type { EmbeddedGitLab } from "../../reconciler/embedded/gitlab/start.js";
import { startService } from "../../reconciler/main.js";
import type { FleetInput } from "../../reconciler/model/fleet.js";
import type { Job } from "../../reconciler/model/job.js";
import type { Microvm } from "../../reconciler/model/microvm.js";
import type { PoolInput } from "../../reconciler/model/pool.js";
import { type ServiceInput, serviceSchema } from "../../reconciler/model/service.js";
import { createLogger } from "../../reconciler/telemetry/logger.js";
import { type AtEnd, beginWorld } from "./begin-world.fixture.js";
import { type Child, firerunner, startChild } from "./child.fixture.js";
import { freePorts } from "./free-ports.fixture.js";
import { startGitLabIn } from "./gitlab-in.fixture.js";
import { endMicrovms, microvmProcesses } from "./processes.fixture.js";
import { until } from "./until.fixture.js";
import { startWatchedHosts, type WatchedHosts } from "./watched-hosts.fixture.js";

export interface WorldOptions {
  /** One when left out. */
  readonly hosts?: number;
  readonly pool?: Partial<PoolInput>;
  /** Webhooks alone tell of jobs when left out: polls are an hour apart. */
  readonly pollS?: number;
}

/** What is left of microVMs, wherever it could be. */
interface Leftovers {
  /** MicroVMs that the hosts show, without the warm ones. */
  readonly microvms: readonly string[];
  readonly runners: number;
  readonly addresses: readonly string[];
  readonly identities: number;
  /** How many are kept ready without a credential. */
  readonly warm: number;
}

/** An embedded GitLab and embedded hosts in this process, and the configuration of a service, which the test starts and ends. */
export interface World {
  readonly directory: string;
  readonly gitlab: EmbeddedGitLab;
  readonly client: GitLabClient;
  readonly hosts: WatchedHosts;
  /** Where the service takes webhooks, and the secret that proves them. */
  readonly webhook: { readonly url: string; readonly secret: string };
  /** Starts the service in this process; it ends with the world. */
  startService(): Promise<void>;
  /** Starts `firerunner serve` as a process of its own, by default from its sources; returns at once. */
  startServe(command?: readonly string[]): Child;
  /** Resolves when the service answers. */
  serviceAnswers(): Promise<void>;
  /** A call of GitLab's REST API as its administrator; rejects unless it is answered 2xx. */
  api(method: string, path: string): Promise<unknown>;
  /** Pushes files as branch main of the project `root/<name>` and waits for its pipeline. */
  push(name: string, files: Readonly<Record<string, string>>): Promise<Pushed>;
  /** Waits until all jobs of a pipeline are over and returns them by name; there is one of each. */
  jobsWhenOver(pushed: Pushed, deadlineMs?: number): Promise<ReadonlyMap<string, PipelineJob>>;
  /** What the service knows of the jobs of a project. */
  knownJobs(projectId: number): Promise<readonly Job[]>;
  /** Waits until nothing is left but so many warm microVMs, on hosts, in GitLab, in the records and among the processes. */
  nothingLeft(warm?: number): Promise<void>;
  stop(): Promise<void>;
}

const connection = "embedded";
const linesTold = 40;

/** Starts a world in a directory of its own. The service is not started yet. */
export function startWorld(options: WorldOptions = {}): Promise<World> {
  return beginWorld("e2e", (directory, atEnd) => build(directory, options, atEnd));
}

async function build(directory: string, options: WorldOptions, atEnd: AtEnd): Promise<Omit<World, "stop">> {
  atEnd(() => {
    const left = endMicrovms(directory);
    if (left.length > 0) throw new Error(`processes of microVMs outlived their hosts: ${JSON.stringify(left)}`);
  });
  const hosts = await startWatchedHosts(directory, options.hosts ?? 1);
  atEnd(() => hosts.stop());
  const gitlab = await startGitLabIn(directory, atEnd);
  const [publicPort = 0, guestPort = 0, adminPort = 0] = await freePorts(3);
  const secret = systemRandom.hex(24);
  const files = {
    token: privateFile(directory, "gitlab-token", gitlab.token),
    secret: privateFile(directory, "webhook-secret", secret),
  };
  const fleetFile = privateFile(directory, "fleet.yaml", JSON.stringify(fleetOf(gitlab, hosts, files, options.pool)));
  const service: ServiceInput = {
    owner: "e2e",
    stateDir: join(directory, "state"),
    listeners: {
      public: { listen: `127.0.0.1:${publicPort}` },
      guest: { listen: `127.0.0.1:${guestPort}` },
      admin: { listen: `127.0.0.1:${adminPort}` },
    },
    schedules: { pollS: options.pollS ?? 3600, listHostsS: 2, sweepS: 5, settleS: 1 },
    fleetFile,
  };
  // What is valid JSON is valid YAML.
  const serviceFile = privateFile(directory, "firerunner.yaml", JSON.stringify(service));
  const logs: (() => string)[] = [];
  const client = createGitLabClient(gitlab);
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const webhook = { url: `http://127.0.0.1:${publicPort}/webhooks/gitlab/${connection}`, secret };

  /** The end of the service's log, for whoever wonders why a test failed. */
  const lastWords = (): string =>
    logs
      .flatMap((log) => log().trimEnd().split("\n"))
      .slice(-linesTold)
      .join("\n");

  async function serviceAnswers(): Promise<void> {
    await until("the service answers", () => answers(`${adminUrl}/health`));
  }

  async function list<T>(path: string): Promise<readonly T[]> {
    const token = readFileSync(join(directory, "state", "admin-token"), "utf8").trim();
    const response = await fetch(`${adminUrl}/v1/${path}`, { headers: { authorization: `Bearer ${token}` } });
    if (!response.ok) throw new Error(`GET ${path} was answered ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { items: readonly T[] }).items;
  }

  async function leftovers(): Promise<Leftovers> {
    const records = await list<Microvm>("microvms?limit=1000");
    const warm = new Set(records.filter((vm) => vm.phase === "parked" && !vm.identity).map((vm) => vm.name));
    return {
      microvms: hosts.shown().filter((name) => !warm.has(name)),
      runners: await client.countRunners(),
      addresses: records.flatMap(({ name, address }) => (address === undefined || warm.has(name) ? [] : [address])),
      identities: (await list("identities?limit=1000")).length,
      warm: warm.size,
    };
  }

  return {
    directory,
    gitlab,
    client,
    hosts,
    webhook,
    async startService() {
      let log = "";
      logs.push(() => log);
      const write = (line: string): void => {
        log += line;
      };
      const logger = createLogger({ level: "info", env: {}, destination: { write } });
      const running = await startService({ service: serviceSchema.parse(service), env: {}, logger });
      atEnd(() => running.stop());
    },
    startServe(command = firerunner) {
      const child = startChild([...command, "serve", "--config", serviceFile], {
        cwd: directory,
        env: { PATH: process.env.PATH ?? "", HOME: directory },
      });
      logs.push(child.output);
      atEnd(() => child.stop());
      return child;
    },
    serviceAnswers,
    async api(method, path) {
      const response = await fetch(`${gitlab.url}/api/v4/${path}`, { method, headers: { "private-token": gitlab.token } });
      if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${await response.text()}`);
      return response.json();
    },
    push(name, contents) {
      const folder = join(directory, "projects", name);
      for (const [path, text] of Object.entries(contents)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text);
      }
      const admin = { url: adminUrl, token: "" };
      return pushFolder(folder, client, { pid: process.pid, gitlab, webhook, admin });
    },
    async jobsWhenOver({ project, pipeline }, deadlineMs = 120_000) {
      let jobs: readonly PipelineJob[] = [];
      const areOver = async (): Promise<boolean> => {
        const { status } = await client.pipeline(project.id, pipeline.id);
        jobs = await client.jobs(project.id, pipeline.id);
        return isOver(status) && jobs.every((job) => isOver(job.status));
      };
      const tell = () => `${jobs.map((job) => `${job.name}: ${job.status}`).join(", ")}\n${lastWords()}`;
      await until(`pipeline ${pipeline.id} is over`, areOver, { deadlineMs, everyMs: 100, tell });
      const byName = new Map(jobs.map((job) => [job.name, job]));
      if (byName.size !== jobs.length) throw new Error(`jobs were tried again:\n${tell()}`);
      return byName;
    },
    knownJobs: (projectId) => list<Job>(`jobs?limit=1000&projectId=${projectId}`),
    async nothingLeft(warm = 0) {
      let left: Leftovers | undefined;
      let living: readonly string[] = [];
      // The last jobs may end while a service that was killed still starts.
      await serviceAnswers();
      const nothing = async (): Promise<boolean> => {
        left = await leftovers();
        living = [...new Set(microvmProcesses(directory).map(({ microvm }) => microvm))];
        const { microvms, runners, addresses, identities } = left;
        return microvms.length + runners + addresses.length + identities === 0 && left.warm === warm && living.length === warm;
      };
      const tell = () => `left: ${JSON.stringify({ ...left, living })}\n${lastWords()}`;
      await until("nothing is left", nothing, { everyMs: 100, tell });
    },
  };
}

interface SecretFiles {
  readonly token: string;
  readonly secret: string;
}

function fleetOf(gitlab: EmbeddedGitLab, hosts: WatchedHosts, files: SecretFiles, pool: Partial<PoolInput> = {}): FleetInput {
  return {
    hosts: hosts.addresses.map((endpoint, index) => ({
      name: `host-${index + 1}`,
      endpoint,
      tls: { insecure: true },
      capacity: { vcpu: 32, memoryMb: 32_768, microvms: 16 },
      network: { mode: "static", subnet: `10.88.${index + 1}.0/24`, gateway: `10.88.${index + 1}.1` },
    })),
    images: [{ name: "shell", kernel: { image: "registry.example/kernel:6.1" }, rootfs: { image: "registry.example/shell:1" } }],
    connections: [
      {
        name: connection,
        kind: "gitlab",
        url: gitlab.url,
        token: `file:${files.token}`,
        scope: { instance: true },
        webhook: { secret: `file:${files.secret}` },
      },
    ],
    pools: [
      {
        name: "e2e",
        connection,
        image: "shell",
        tags: ["firerunner"],
        runUntagged: true,
        sizes: { small: { vcpu: 1, memoryMb: 1024 } },
        size: "small",
        minIdle: 0,
        maxMicrovms: 8,
        ...pool,
      },
    ],
  };
}

function privateFile(directory: string, name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    await response.text();
    return response.ok;
  } catch {
    return false;
  }
}
