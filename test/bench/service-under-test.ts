import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningService, startService } from "../../reconciler/main.js";
import type { FleetInput } from "../../reconciler/model/fleet.js";
import { serviceSchema } from "../../reconciler/model/service.js";
import { createLogger } from "../../reconciler/telemetry/logger.js";
import { jobTags } from "./outside/gitlab.js";
import { type HookTarget, projectId } from "./outside/job-hook.js";
import type { OutsideAddresses } from "./outside/outside.js";

/** The whole service in this process, with its store and its log on disk, as `firerunner serve` runs it. */
export interface ServiceUnderTest {
  readonly service: RunningService;
  /** Where Job Hooks go. */
  readonly hooks: HookTarget;
  /** How many passes the loop has made, and how long they took together. */
  passes(): Promise<{ readonly count: number; readonly seconds: number }>;
  /** To be called once. */
  stop(): Promise<void>;
}

const secret = "not-a-real-secret";

/** Starts it with room for 20,000 microVMs on the hosts of `outside`, of which `minIdle` are kept warm. */
export async function startServiceUnderTest(outside: OutsideAddresses, minIdle = 0): Promise<ServiceUnderTest> {
  const directory = mkdtempSync(join(tmpdir(), "firerunner-bench-"));
  const fleetFile = join(directory, "fleet.yaml");
  // What is valid JSON is valid YAML.
  writeFileSync(fleetFile, JSON.stringify(fleet(outside, minIdle)));
  const log = openSync(join(directory, "log"), "w");
  const remove = () => {
    closeSync(log);
    rmSync(directory, { recursive: true, force: true });
  };
  const anyPort = { listen: "127.0.0.1:0" };
  try {
    const service = await startService({
      service: serviceSchema.parse({
        owner: "bench",
        stateDir: join(directory, "state"),
        listeners: { public: anyPort, guest: anyPort, admin: anyPort },
        fleetFile,
      }),
      env: { TOKEN: "glpat-not-a-real-token", SECRET: secret },
      logger: createLogger({ level: "info", env: {}, destination: { write: (line) => void writeSync(log, line) } }),
    });
    return {
      service,
      hooks: { url: `${service.urls.public}/webhooks/gitlab/harbour`, secret },
      passes: () => readPasses(service),
      async stop() {
        try {
          await service.stop();
        } finally {
          remove();
        }
      },
    };
  } catch (caught) {
    remove();
    throw caught;
  }
}

function fleet({ gitlabUrl, hostEndpoints }: OutsideAddresses, minIdle: number): FleetInput {
  return {
    hosts: hostEndpoints.map((endpoint, n) => ({
      name: `host-${n}`,
      endpoint,
      tls: { insecure: true },
      capacity: { vcpu: 4_000, memoryMb: 8_192_000, microvms: 2_000 },
      network: { mode: "static", subnet: `10.${20 + n}.0.0/20`, gateway: `10.${20 + n}.0.1` },
    })),
    images: [{ name: "image", kernel: { image: "registry.example/kernel:6.1" }, rootfs: { image: "registry.example/root:1" } }],
    connections: [
      {
        name: "harbour",
        kind: "gitlab",
        url: gitlabUrl,
        token: "env:TOKEN",
        scope: { projectId },
        webhook: { secret: "env:SECRET" },
      },
    ],
    pools: [
      {
        name: "pool",
        connection: "harbour",
        image: "image",
        tags: [jobTags[0]],
        sizes: { [jobTags[1]]: { vcpu: 2, memoryMb: 4_096 } },
        size: jobTags[1],
        minIdle,
        maxMicrovms: 20_000,
        // Without guests nothing ever claims.
        bootTimeoutS: 3_600,
      },
    ],
  };
}

async function readPasses({ urls, adminToken }: RunningService): Promise<{ count: number; seconds: number }> {
  const answer = await fetch(`${urls.admin}/metrics`, { headers: { authorization: `Bearer ${adminToken}` } });
  const text = await answer.text();
  const metric = (name: string) => Number(new RegExp(`^firerunner_reconcile_duration_seconds_${name} (\\S+)$`, "m").exec(text)?.[1]);
  return { count: metric("count"), seconds: metric("sum") };
}
