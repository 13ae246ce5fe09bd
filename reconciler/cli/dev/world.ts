import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemRandom } from "../../control/random.js";
import { type EmbeddedGitLab, startEmbeddedGitLab } from "../../embedded/gitlab/start.js";
import { keptConsoles } from "../../embedded/host/console-file.js";
import type { EmbeddedHost } from "../../embedded/host/start-embedded-host.js";
import { type RunningService, startService } from "../../main.js";
import { systemClock } from "../../model/clock.js";
import type { FireRunnerError } from "../../model/errors.js";
import type { PoolInput } from "../../model/pool.js";
import { serviceSchema } from "../../model/service.js";
import type { Logger } from "../../telemetry/logger.js";
import { devFleet } from "./dev-fleet.js";
import { type DevState, removeDevState, takeDevDirectory, writeDevState } from "./dev-state.js";
import { createGitLabClient, type GitLabClient } from "./gitlab-client.js";
import { type HostFaults, startFaultyHost } from "./host-faults.js";
import type { Leftovers } from "./tidiness.js";
import type { VmDrivers } from "./vm-drivers.js";

const hostCount = 2;
const loopback = "127.0.0.1:0";

/** A small GitLab, two Flintlock hosts and the service, in this process and on loopback. */
export interface DevWorld {
  readonly state: DevState;
  readonly service: RunningService;
  /** What there is beside the warm microVMs: asked of the hosts and the forge, and of the records. */
  leftovers(): Promise<Leftovers>;
  stop(): Promise<void>;
}

export interface DevWorldOptions {
  /** The world's own; what an earlier one left there is removed. */
  readonly directory: string;
  readonly drivers: VmDrivers;
  readonly logger: Logger;
  /** Faults of its hosts. */
  readonly faults?: HostFaults | undefined;
  /** What of its pool is to be otherwise. */
  readonly pool?: Partial<PoolInput> | undefined;
  /** Told why a host failed to build or remove a microVM. */
  readonly onFault?: (error: FireRunnerError) => void;
}

/** Starts the world; rejects, with all of it ended again, when a part of it cannot be started. */
export async function startDevWorld(given: DevWorldOptions): Promise<DevWorld> {
  const { directory, drivers, logger, faults, onFault } = given;
  takeDevDirectory(directory);
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    removeDevState(directory);
    for (const end of stops.splice(0).reverse()) await end();
  };
  try {
    const hosts: EmbeddedHost[] = [];
    const consoles: DevState["hosts"] = [];
    for (let n = 1; n <= hostCount; n += 1) {
      const home = join(directory, `host-${n}`);
      const driver = drivers.create(home);
      const options = { listen: loopback, driver, clock: systemClock, random: systemRandom, ...(onFault === undefined ? {} : { onFault }) };
      const host = await startFaultyHost(options, faults, n);
      hosts.push(host);
      const keptConsole = join(keptConsoles(home), "{name}.log");
      consoles.push({ endpoint: host.address, console: drivers.consoleOf(home), keptConsole });
      stops.push(() => host.stop());
    }
    const gitlab = await startEmbeddedGitLab({
      listen: `${drivers.address}:0`,
      directory: join(directory, "gitlab"),
      clock: systemClock,
      random: systemRandom,
    });
    stops.push(() => gitlab.stop());
    const secret = randomBytes(24).toString("hex");
    const service = await startDevService(given, gitlab, hosts, secret, logger);
    stops.push(() => service.stop());
    const state: DevState = {
      pid: process.pid,
      gitlab: { url: gitlab.url, token: gitlab.token },
      webhook: { url: `${service.urls.public}/webhooks/gitlab/embedded`, secret },
      admin: { url: service.urls.admin, token: service.adminToken },
      hosts: consoles,
    };
    writeDevState(directory, state);
    const client = createGitLabClient(state.gitlab);
    return { state, service, leftovers: () => countLeftovers(client, service, hosts), stop };
  } catch (caught) {
    await stop();
    throw caught;
  }
}

async function startDevService(
  { directory, drivers, pool }: DevWorldOptions,
  gitlab: EmbeddedGitLab,
  hosts: readonly EmbeddedHost[],
  secret: string,
  logger: Logger,
): Promise<RunningService> {
  const secrets = join(directory, "secrets");
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  const write = (name: string, text: string) => {
    const file = join(secrets, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const fleet = devFleet({
    gitlabUrl: gitlab.url,
    tokenFile: write("gitlab-token", gitlab.token),
    webhookSecretFile: write("webhook-secret", secret),
    hosts: hosts.map((host) => host.address),
    image: drivers.image,
    pool,
  });
  const service = serviceSchema.parse({
    owner: "dev",
    stateDir: join(directory, "service"),
    listeners: { public: { listen: loopback }, guest: { listen: `${drivers.address}:0` }, admin: { listen: loopback } },
    // Everything is near and small here: what takes seconds elsewhere is done in one.
    schedules: { pollS: 5, listHostsS: 5, sweepS: 30, settleS: 1 },
    fleetFile: write("fleet.yaml", JSON.stringify(fleet)),
  });
  return startService({ service, logger });
}

async function countLeftovers(gitlab: GitLabClient, service: RunningService, hosts: readonly EmbeddedHost[]): Promise<Leftovers> {
  const records = service.store.list("microvm").map(({ value }) => value);
  const warm = records.filter((vm) => vm.phase === "parked" && !vm.identity);
  const names = new Set(warm.map((vm) => vm.name));
  const shown = hosts.flatMap((host) => host.microvms());
  return {
    vms: shown.filter((vm) => !names.has(vm.name)).length,
    runners: await gitlab.countRunners(),
    addresses: records.filter((vm) => vm.address !== undefined && !names.has(vm.name)).length,
    warm: warm.length,
  };
}
