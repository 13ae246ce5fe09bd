import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fleetInput, oneOfEach } from "../http/listeners.fixture.js";
import { type RunningService, startService } from "../main.js";
import type { FleetInput } from "../model/fleet.js";
import { serviceSchema } from "../model/service.js";
import { type Logger, silentLogger } from "../telemetry/logger.js";
import { runCli } from "./run-cli.js";
import { colour, type Terminal } from "./terminal.js";

/** What one command line did. */
export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly coloured?: boolean;
}

/** Runs a command line in this process. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  let out = "";
  let err = "";
  const coloured = options.coloured === true;
  const terminal: Terminal = {
    print: (text) => {
      out += `${text}\n`;
    },
    write: (text) => {
      out += text;
    },
    complain: (text) => {
      err += `${text}\n`;
    },
    style: (text, as) => (coloured ? colour(text, as) : text),
    coloured,
    columns: undefined,
    env: options.env ?? {},
    readInput: () => options.input ?? "",
  };
  return { code: await runCli(args, terminal), out, err };
}

/** A job that waits, as GitLab tells it. */
export const aWaitingJob = {
  id: 101,
  name: "unit tests",
  stage: "test",
  status: "pending",
  tag_list: ["vm"],
  ref: "main",
  tag: false,
  allow_failure: false,
  created_at: "2026-02-03T04:05:06.000Z",
  queued_duration: 1,
  pipeline: { id: 9, project_id: 380, ref: "main", status: "running" },
  project: { id: 380 },
};

/** A service over the memory store, with a GitLab of its own that knows a few jobs, and no host that answers. */
export interface CliWorld {
  readonly service: RunningService;
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly gitlabUrl: string;
  run(args: readonly string[], options?: RunOptions): Promise<CommandResult>;
  /** Applies a fleet whose host does not answer and whose connection is to the world's GitLab, changed as is said. */
  applyFleet(change?: Partial<FleetInput>): Promise<void>;
  stop(): Promise<void>;
}

export async function startCliWorld(jobs: readonly Readonly<Record<string, unknown>>[], logger: Logger = silentLogger): Promise<CliWorld> {
  const directory = mkdtempSync(join(tmpdir(), "fr-cli-"));
  const gitlab = await startSmallGitLab(jobs);
  const gitlabUrl = `http://127.0.0.1:${(gitlab.address() as AddressInfo).port}`;
  const anyPort = { listen: "127.0.0.1:0" };
  const service = await startService({
    service: serviceSchema.parse({
      owner: "test",
      stateDir: join(directory, "state"),
      store: { kind: "memory" },
      listeners: { public: anyPort, guest: anyPort, admin: anyPort },
      schedules: { pollS: 1 },
    }),
    env: { FORGE_TOKEN: "glpat-of-the-test", WEBHOOK_SECRET: "a-webhook-secret" },
    logger,
  });
  const env = { FIRERUNNER_URL: service.urls.admin, FIRERUNNER_TOKEN: service.adminToken };
  const runHere: CliWorld["run"] = (args, options = {}) => run(args, { ...options, env: { ...env, ...options.env } });
  return {
    service,
    env,
    directory,
    gitlabUrl,
    run: runHere,
    async applyFleet(change = {}) {
      const fleet = {
        ...fleetInput,
        hosts: [{ ...oneOfEach.host, endpoint: "127.0.0.1:1" }],
        connections: [{ ...oneOfEach.connection, url: gitlabUrl }],
        ...change,
      };
      const { code, err } = await runHere(["apply", "-f", "-"], { input: JSON.stringify(fleet) });
      if (code !== 0) throw new Error(err);
    },
    async stop() {
      await service.stop();
      gitlab.closeAllConnections();
      await new Promise((resolve) => gitlab.close(resolve));
      rmSync(directory, { recursive: true });
    },
  };
}

/** Just enough of GitLab's REST to be polled: jobs by scope, one job, its log. */
async function startSmallGitLab(jobs: readonly Readonly<Record<string, unknown>>[]): Promise<Server> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://gitlab");
    const send = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    const [, id, log] = /^\/api\/v4\/projects\/380\/jobs\/(\d+)(\/trace)?$/.exec(url.pathname) ?? [];
    const job = jobs.find((known) => String(known.id) === id);
    if (log !== undefined && job !== undefined) {
      response.writeHead(200, { "content-type": "text/plain" }).end(`log of ${job.name}\nlast line`);
    } else if (job !== undefined) {
      send(200, job);
    } else if (url.pathname === "/api/v4/projects/380/jobs") {
      const scopes = url.searchParams.getAll("scope[]");
      send(200, scopes.length === 0 ? jobs : jobs.filter(({ status }) => scopes.includes(String(status))));
    } else {
      send(url.pathname.endsWith("/runners") ? 200 : 404, []);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
