import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createGitLabClient, type GitLabClient, isOver, type PipelineJob } from "../../reconciler/cli/dev/gitlab-client.js";
import { type Pushed, pushFolder } from "../../reconciler/cli/dev/push-folder.js";
import { systemRandom } from "../../reconciler/control/random.js";
import type { EmbeddedGitLab } from "../../reconciler/embedded/gitlab/start.js";
import { startService } from "../../reconciler/main.js";
import { serviceSchema } from "../../reconciler/model/service.js";
import { createLogger } from "../../reconciler/telemetry/logger.js";
import { beginWorld } from "../e2e/begin-world.fixture.js";
import { freePorts } from "../e2e/free-ports.fixture.js";
import { startGitLabIn } from "../e2e/gitlab-in.fixture.js";
import { microvmProcesses } from "../e2e/processes.fixture.js";
import { until } from "../e2e/until.fixture.js";
import { startWatchedHosts, type WatchedHosts } from "../e2e/watched-hosts.fixture.js";
import type { StackOptions } from "./stack.fixture.js";

/** The lists of the admin API that tests look at. */
export type List = "hosts" | "images" | "connections" | "pools" | "microvms" | "identities";

/** A declared record as the admin API answers it. */
interface DeclaredRecord {
  readonly spec: Readonly<Record<string, unknown>> & { readonly name: string };
  readonly generation: number;
}

/** A FireRunner service without any declarations, hosts for it, and a GitLab: what a `pulumi up` may declare. */
export interface FleetWorld {
  readonly directory: string;
  readonly hosts: WatchedHosts;
  readonly gitlab: EmbeddedGitLab;
  readonly client: GitLabClient;
  /** The service's admin API; the same before and after a restart. */
  readonly endpoint: string;
  readonly token: string;
  /** What a stack must be told of it. */
  readonly config: Pick<StackOptions, "config" | "secrets">;
  /** The secrets of a connection, as references that the service can read and as they are. */
  readonly secrets: { readonly tokenRef: string; readonly webhookRef: string; readonly webhook: string };
  /** Stops the service: from then on nothing answers. */
  stopService(): Promise<void>;
  /** Starts it again with what it has stored, under another token when one is given. */
  startService(token?: string): Promise<void>;
  records(list: List): Promise<readonly DeclaredRecord[]>;
  record(list: List, name: string): Promise<DeclaredRecord | undefined>;
  /** Writes a declared record behind Pulumi's back; who manages it stays as it is when nobody is given. */
  put(list: List, name: string, spec: unknown, managedBy?: string): Promise<void>;
  remove(list: List, name: string): Promise<void>;
  /** How many records of all declared kinds there are. */
  declared(): Promise<number>;
  /** What the service has logged. */
  log(): string;
  /** Pushes files as the project `root/<name>`, whose webhook tells `connection`, and waits for its pipeline. */
  push(name: string, connection: string, files: Readonly<Record<string, string>>): Promise<Pushed>;
  job(pushed: Pushed, name: string): Promise<PipelineJob>;
  jobIs(pushed: Pushed, name: string, status: string): Promise<void>;
  /** Waits until no microVM, runner, identity or process of one is left. */
  nothingLeft(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it, with the service up. */
export function startFleetWorld(options: { readonly hosts?: number } = {}): Promise<FleetWorld> {
  return beginWorld("fleet", async (directory, atEnd) => {
    const hosts = await startWatchedHosts(directory, options.hosts ?? 1);
    atEnd(() => hosts.stop());
    const world = await build(directory, hosts, await startGitLabIn(directory, atEnd));
    atEnd(() => world.stopService());
    await world.startService();
    return world;
  });
}

async function build(directory: string, hosts: WatchedHosts, gitlab: EmbeddedGitLab): Promise<Omit<FleetWorld, "stop">> {
  const [publicPort = 0, guestPort = 0, adminPort = 0] = await freePorts(3);
  const endpoint = `http://127.0.0.1:${adminPort}`;
  const ownToken = systemRandom.hex(24);
  const webhook = systemRandom.hex(24);
  const lines: string[] = [];
  const client = createGitLabClient(gitlab);
  const tokenRef = secretFile(directory, "gitlab-token", gitlab.token);
  const webhookRef = secretFile(directory, "webhook-secret", webhook);
  const service = serviceSchema.parse({
    owner: "pulumi",
    stateDir: join(directory, "state"),
    listeners: {
      public: { listen: `127.0.0.1:${publicPort}` },
      guest: { listen: `127.0.0.1:${guestPort}` },
      admin: { listen: `127.0.0.1:${adminPort}` },
    },
    admin: { token: "env:ADMIN_TOKEN" },
    schedules: { pollS: 1, listHostsS: 2, sweepS: 5, settleS: 1 },
  });
  let token = ownToken;
  let running: { stop(): Promise<void> } | undefined;

  async function call(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await fetch(`${endpoint}/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    if (!response.ok && response.status !== 404) {
      throw new Error(`${method} ${path} was answered ${response.status}: ${await response.text()}`);
    }
    return response;
  }
  async function records<T = DeclaredRecord>(list: List): Promise<readonly T[]> {
    return ((await (await call("GET", list)).json()) as { items: readonly T[] }).items;
  }
  const job = async ({ project, pipeline }: Pushed, name: string): Promise<PipelineJob> => {
    const found = (await client.jobs(project.id, pipeline.id)).find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`the pipeline has no job ${name}`);
    return found;
  };

  return {
    directory,
    hosts,
    gitlab,
    client,
    endpoint,
    token: ownToken,
    config: { config: { "firerunner:endpoint": endpoint }, secrets: { "firerunner:token": ownToken } },
    secrets: { tokenRef, webhookRef, webhook },
    async stopService() {
      await running?.stop();
      running = undefined;
    },
    async startService(given = ownToken) {
      token = given;
      const logger = createLogger({ level: "debug", env: {}, destination: { write: (line) => void lines.push(line) } });
      running = await startService({ service, env: { ADMIN_TOKEN: given }, logger });
    },
    records,
    async record(list, name) {
      const response = await call("GET", `${list}/${name}`);
      return response.status === 404 ? undefined : ((await response.json()) as DeclaredRecord);
    },
    async put(list, name, spec, managedBy) {
      const query = managedBy === undefined ? "" : `?${new URLSearchParams({ managedBy })}`;
      await call("PUT", `${list}/${name}${query}`, spec);
    },
    async remove(list, name) {
      await call("DELETE", `${list}/${name}`);
    },
    async declared() {
      const lists = await Promise.all((["hosts", "images", "connections", "pools"] as const).map((list) => records(list)));
      return lists.reduce((sum, list) => sum + list.length, 0);
    },
    log: () => lines.join(""),
    push(name, connection, files) {
      const folder = join(directory, "projects", name);
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text);
      }
      const hook = { url: `http://127.0.0.1:${publicPort}/webhooks/gitlab/${connection}`, secret: webhook };
      return pushFolder(folder, client, { pid: process.pid, gitlab, webhook: hook, admin: { url: endpoint, token } });
    },
    job,
    async jobIs(pushed, name, status) {
      const is = async (): Promise<boolean> => {
        const found = await job(pushed, name);
        if (isOver(found.status) && found.status !== status) throw new Error(`job ${name} ended as ${found.status}`);
        return found.status === status;
      };
      await until(`job ${name} is ${status}`, is, { everyMs: 100, deadlineMs: 120_000, tell: () => lines.slice(-30).join("") });
    },
    async nothingLeft() {
      let left = {};
      const nothing = async (): Promise<boolean> => {
        const microvms = (await records("microvms")).length;
        const identities = (await records("identities")).length;
        const counts = {
          microvms,
          identities,
          shown: hosts.shown().length,
          runners: await client.countRunners(),
          processes: microvmProcesses(directory).length,
        };
        left = counts;
        return Object.values(counts).every((count) => count === 0);
      };
      await until("nothing is left", nothing, { everyMs: 200, deadlineMs: 120_000, tell: () => JSON.stringify(left) });
    },
  };
}

function secretFile(directory: string, name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return `file:${path}`;
}
