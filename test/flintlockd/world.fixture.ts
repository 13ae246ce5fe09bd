import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, inject } from "vitest";
import { createGitLabClient, type GitLabClient, type PipelineJob } from "../../reconciler/cli/dev/gitlab-client.js";
import { type Pushed, pushFolder } from "../../reconciler/cli/dev/push-folder.js";
import { systemRandom } from "../../reconciler/control/random.js";
import { startEmbeddedGitLab } from "../../reconciler/embedded/gitlab/start.js";
import { buildImage } from "../../reconciler/images/build-image.js";
import { ImageStore } from "../../reconciler/images/image-store.js";
import { type RunningService, startService } from "../../reconciler/main.js";
import { systemClock } from "../../reconciler/model/clock.js";
import type { FleetInput } from "../../reconciler/model/fleet.js";
import type { PoolInput } from "../../reconciler/model/pool.js";
import { serviceSchema } from "../../reconciler/model/service.js";
import { createLogger } from "../../reconciler/telemetry/logger.js";
import { type AtEnd, beginWorld } from "../e2e/begin-world.fixture.js";
import { until } from "../e2e/until.fixture.js";
import { jobsWhenOver } from "../images/jobs-when-over.fixture.js";
import { type Flintlockd, startFlintlockd } from "./flintlockd.fixture.js";

/** As `describe`; its tests are skipped, by name, where there is no flintlockd. */
export const describeFlintlockd = describe.skipIf(inject("flintlockd").kind === "missing");

/** A GitLab and a service with one host: a real flintlockd. */
export interface FlintlockdWorld {
  readonly flintlockd: Flintlockd;
  readonly client: GitLabClient;
  readonly service: RunningService;
  /** What the host boots, as it was pushed to its registry. */
  readonly images: Readonly<Record<"kernel" | "rootfs", string>>;
  push(name: string, ciFile: string): Promise<Pushed>;
  /** Waits until all jobs of a pipeline are over and returns them by name. */
  jobsWhenOver(pushed: Pushed): Promise<ReadonlyMap<string, PipelineJob>>;
  /**
   * Waits until nothing is left of any microVM: on the host, among its devices and processes, in the records, in GitLab.
   * `taps` says whether the host is to have removed all of them.
   */
  nothingLeft(taps?: "removed" | "forgotten"): Promise<void>;
  /** What was told of microVMs that failed, a line each. */
  failures(): readonly string[];
  lastWords(): string;
  stop(): Promise<void>;
}

/** Translated code is slow, and slower beside other tests. */
export const deadlineMs = 600_000;
/** Images may have to be built first. */
export const startLimitMs = 1_800_000;

export function startFlintlockdWorld(pool: Partial<PoolInput> = {}): Promise<FlintlockdWorld> {
  return beginWorld("flintlockd", (directory, atEnd) => build(directory, pool, atEnd));
}

async function build(directory: string, pool: Partial<PoolInput>, atEnd: AtEnd): Promise<Omit<FlintlockdWorld, "stop">> {
  const flintlockd = await startFlintlockd(directory, atEnd, "boot");
  const { network } = flintlockd;
  const images = await pushImages(flintlockd);
  const gitlab = await startEmbeddedGitLab({
    listen: `${network.own}:0`,
    directory: join(directory, "gitlab"),
    clock: systemClock,
    random: systemRandom,
  });
  atEnd(() => gitlab.stop());
  const log: string[] = [];
  const secret = systemRandom.hex(24);
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  const anyPort = { listen: "127.0.0.1:0" };
  const service = await startService({
    service: serviceSchema.parse({
      owner: "real",
      stateDir: join(directory, "service"),
      store: { kind: "memory" },
      // Guests come by the bridge, and nobody else does.
      listeners: { public: anyPort, guest: { listen: `${network.own}:0`, insecure: true }, admin: anyPort },
      schedules: { pollS: 5, listHostsS: 5, sweepS: 30, settleS: 1 },
      fleetFile: file(
        "fleet.yaml",
        JSON.stringify(fleetOf(flintlockd, images, gitlab.url, file("token", gitlab.token), file("secret", secret), pool)),
      ),
    }),
    logger: createLogger({ level: "info", env: {}, destination: { write: (line) => void log.push(line) } }),
  });
  atEnd(() => service.stop());
  const client = createGitLabClient({ url: gitlab.url, token: gitlab.token });
  const state = {
    pid: process.pid,
    gitlab: { url: gitlab.url, token: gitlab.token },
    webhook: { url: `${service.urls.public}/webhooks/gitlab/real`, secret },
    admin: { url: service.urls.admin, token: service.adminToken },
  };
  const devices = network.devices();
  const lastWords = () => [...log.slice(-40), flintlockd.lastWords()].join("\n");
  return {
    flintlockd,
    client,
    service,
    images,
    lastWords,
    push(name, ciFile) {
      const folder = join(directory, "projects", name);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, ".gitlab-ci.yml"), ciFile);
      return pushFolder(folder, client, state);
    },
    jobsWhenOver: (pushed) => jobsWhenOver(client, pushed, { deadlineMs, tell: lastWords }),
    async nothingLeft(taps = "removed") {
      await until(
        "nothing is left of any microVM",
        async () =>
          service.store.count("microvm") === 0 &&
          flintlockd.monitors().size === 0 &&
          (taps === "forgotten" || network.devices().join() === devices.join()) &&
          (await client.countRunners()) === 0,
        { deadlineMs, everyMs: 250, tell: () => `${network.devices()} ${[...flintlockd.monitors()]}\n${lastWords()}` },
      );
    },
    failures: () => log.filter((line) => line.includes('"MicrovmFailed"')),
  };
}

/** What the host is to boot, built where it was not, and put into the host's registry. */
async function pushImages(flintlockd: Flintlockd): Promise<FlintlockdWorld["images"]> {
  const store = new ImageStore(fileURLToPath(new URL("../../.cache/images", import.meta.url)));
  for (const name of ["kernel-minimal", "shell"] as const) {
    if ((await store.find(name)) === undefined) await buildImage(name, { store, version: "0.0.0", say: () => undefined });
  }
  return { kernel: await flintlockd.push(store, "kernel-minimal"), rootfs: await flintlockd.push(store, "shell") };
}

function fleetOf(
  { endpoint, network }: Flintlockd,
  images: FlintlockdWorld["images"],
  url: string,
  tokenFile: string,
  secretFile: string,
  pool: Partial<PoolInput>,
): FleetInput {
  const { subnet, own: gateway, host } = network;
  return {
    hosts: [
      {
        name: "real",
        endpoint,
        tls: { insecure: true },
        capacity: { vcpu: 8, memoryMb: 8192, microvms: 6 },
        // Guests come with their own addresses.
        network: { mode: "static", subnet, gateway, exclude: [host], nat: false },
      },
    ],
    images: [{ name: "shell", kernel: { image: images.kernel, cmdline: { quiet: "" } }, rootfs: { image: images.rootfs } }],
    connections: [
      {
        name: "real",
        kind: "gitlab",
        url,
        token: `file:${tokenFile}`,
        scope: { instance: true },
        webhook: { secret: `file:${secretFile}` },
      },
    ],
    pools: [
      {
        name: "real",
        connection: "real",
        image: "shell",
        tags: ["real"],
        runUntagged: true,
        sizes: { small: { vcpu: 1, memoryMb: 1024 } },
        size: "small",
        maxMicrovms: 4,
        bootTimeoutS: 600,
        ...pool,
      },
    ],
  };
}
