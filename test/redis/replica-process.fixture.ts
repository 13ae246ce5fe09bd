import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Standing } from "../../reconciler/http/routes/health.js";
import type { ServiceInput } from "../../reconciler/model/service.js";
import { type Child, endOf, firerunner, startChild } from "../e2e/child.fixture.js";
import { freePorts } from "../e2e/free-ports.fixture.js";

/** One `firerunner serve` of several, at fixed ports. */
export interface ReplicaProcess {
  readonly name: string;
  readonly ports: { readonly public: number; readonly guest: number; readonly admin: number };
  readonly adminUrl: string;
  start(): void;
  /** Where it stands; undefined when it does not answer. */
  standing(): Promise<Standing | undefined>;
  /** What the admin API answers at a path. */
  read(path: string): Promise<unknown>;
  signal(name: NodeJS.Signals): void;
  /** Ends it with a signal, and tells how it ended. */
  end(name: NodeJS.Signals): Promise<number | NodeJS.Signals>;
  output(): string;
  stop(): Promise<void>;
}

export const adminToken = "0123456789abcdef0123456789abcdef";

/** Prepares a replica in a directory of its own. `service` is what all have in common. */
export async function prepareReplica(
  directory: string,
  name: string,
  service: Omit<ServiceInput, "stateDir" | "listeners">,
): Promise<ReplicaProcess> {
  const [publicPort = 0, guestPort = 0, adminPort = 0] = await freePorts(3);
  const folder = join(directory, name);
  mkdirSync(folder);
  const input: ServiceInput = {
    ...service,
    stateDir: join(folder, "state"),
    listeners: {
      public: { listen: `127.0.0.1:${publicPort}` },
      guest: { listen: `127.0.0.1:${guestPort}` },
      admin: { listen: `127.0.0.1:${adminPort}` },
    },
  };
  const file = join(folder, "firerunner.yaml");
  writeFileSync(file, JSON.stringify(input), { mode: 0o600 });
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const headers = { authorization: `Bearer ${adminToken}` };
  let child: Child | undefined;
  let earlier = "";
  return {
    name,
    ports: { public: publicPort, guest: guestPort, admin: adminPort },
    adminUrl,
    start() {
      if (child !== undefined) earlier += child.output();
      child = startChild([...firerunner, "serve", "--config", file], {
        cwd: folder,
        env: { PATH: process.env.PATH ?? "", HOME: folder, ADMIN_TOKEN: adminToken },
      });
    },
    async standing() {
      const answer = await fetch(`${adminUrl}/ready`, { headers, signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
      const body = await answer?.json().catch(() => undefined);
      return (body as { replica?: Standing } | undefined)?.replica;
    },
    async read(path) {
      const answer = await fetch(`${adminUrl}${path}`, { headers, signal: AbortSignal.timeout(10_000) });
      if (!answer.ok) throw new Error(`GET ${path} was answered ${answer.status}: ${await answer.text()}`);
      return answer.json();
    },
    signal: (signal) => child?.signal(signal),
    async end(signal) {
      const ending = child;
      if (ending === undefined) throw new Error(`${name} does not run`);
      ending.signal(signal);
      return endOf(ending);
    },
    output: () => earlier + (child?.output() ?? ""),
    async stop() {
      // What stands still ends when it goes on.
      child?.signal("SIGCONT");
      await child?.stop();
    },
  };
}
