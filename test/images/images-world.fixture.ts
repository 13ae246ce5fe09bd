import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, inject } from "vitest";
import { createGitLabClient, type GitLabClient, type PipelineJob } from "../../reconciler/cli/dev/gitlab-client.js";
import { type Pushed, pushFolder } from "../../reconciler/cli/dev/push-folder.js";
import { type MachineImages, qemuDrivers, type VmDrivers } from "../../reconciler/cli/dev/vm-drivers.js";
import { type DevWorld, startDevWorld } from "../../reconciler/cli/dev/world.js";
import { ImageStore } from "../../reconciler/images/image-store.js";
import type { FireRunnerError } from "../../reconciler/model/errors.js";
import type { PoolInput } from "../../reconciler/model/pool.js";
import { createLogger } from "../../reconciler/telemetry/logger.js";
import { until } from "../e2e/until.fixture.js";
import { jobsWhenOver } from "./jobs-when-over.fixture.js";
import { type MachineState, machineState } from "./machine-state.fixture.js";

/** As `describe`; its tests are skipped, by name, on a machine that cannot build or boot images. */
export const describeImages = describe.skipIf(inject("imagesMissing") !== undefined);

/** The store that `npm run setup` builds into; what is there already is not built again. */
export const sharedStore = (): ImageStore => new ImageStore(inject("imagesDirectory"));

/** A GitLab, a service and hosts whose microVMs are virtual machines. */
export interface ImagesWorld {
  readonly directory: string;
  /** What was on the machine before any microVM. */
  readonly before: MachineState;
  readonly world: DevWorld;
  readonly client: GitLabClient;
  push(name: string, files: Readonly<Record<string, string>>): Promise<Pushed>;
  /** Waits until all jobs of a pipeline are over and returns them by name. */
  jobsWhenOver(pushed: Pushed): Promise<ReadonlyMap<string, PipelineJob>>;
  /** The events that the service told of so far. */
  events(): readonly ToldEvent[];
  /** Waits until no microVM, runner or address is left but those of warm microVMs. */
  nothingLeft(): Promise<void>;
  /** What consoles, service and hosts said, for whoever wonders. */
  lastWords(): string;
  stop(): Promise<void>;
}

export interface ImagesWorldOptions {
  /** References, or what was built into the shared store. */
  readonly kernel: string;
  readonly rootfs: string;
  /** How the agent gets into the guest; it is in the image when left out. */
  readonly bootstrap?: "agent" | "cloud-init";
  readonly pool?: Partial<PoolInput>;
  /** Where images lie that were built; the shared store when left out. */
  readonly store?: ImageStore;
  /** Further arguments of the kernel. */
  readonly cmdline?: Readonly<Record<string, string>>;
  /** What boots them; QEMU with user networking when left out. */
  readonly drivers?: (images: MachineImages) => VmDrivers;
}

/** What the service wrote of an event. */
export interface ToldEvent {
  readonly event: string;
  readonly microvm?: string;
  readonly job?: string;
  readonly message: string;
}

/** Translated code is slow, and slower beside other tests. */
const jobsDeadlineMs = 1_200_000;

export async function startImagesWorld(options: ImagesWorldOptions): Promise<ImagesWorld> {
  const { kernel, rootfs, bootstrap = "agent", pool, store = sharedStore(), cmdline = {}, drivers: driversOf = qemuDrivers } = options;
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "firerunner-images-")));
  const before = machineState(directory);
  const log: string[] = [];
  const faults: FireRunnerError[] = [];
  const usual = driversOf({
    kernel,
    rootfs,
    bootstrap,
    store,
    cache: join(directory, "pulled"),
    env: { FIRERUNNER_ACCELERATOR: process.env.FIRERUNNER_ACCELERATOR ?? "tcg" },
  });
  const { image } = usual;
  const drivers = { ...usual, image: { ...image, kernel: { ...image.kernel, cmdline: { ...image.kernel.cmdline, ...cmdline } } } };
  const consoles = () =>
    readdirSync(directory, { recursive: true, encoding: "utf8" })
      .filter((path) => /console\.log$|-consoles\/.*\.log$/.test(path))
      .map((path) => `== ${path}\n${readFileSync(join(directory, path), "utf8").split("\n").slice(-60).join("\n")}`);
  const lastWords = () => [...faults.map(String), ...log.slice(-40), ...consoles()].join("\n");
  try {
    const logger = createLogger({ level: "info", env: {}, destination: { write: (line) => void log.push(line) } });
    const world = await startDevWorld({
      directory: join(directory, "world"),
      drivers,
      logger,
      pool,
      onFault: (error) => faults.push(error),
    });
    const client = createGitLabClient(world.state.gitlab);
    return {
      directory,
      before,
      world,
      client,
      lastWords,
      push(name, files) {
        const folder = join(directory, "projects", name);
        for (const [path, text] of Object.entries(files)) {
          mkdirSync(dirname(join(folder, path)), { recursive: true });
          writeFileSync(join(folder, path), text);
        }
        return pushFolder(folder, client, world.state);
      },
      jobsWhenOver: (pushed) => jobsWhenOver(client, pushed, { deadlineMs: jobsDeadlineMs, tell: lastWords }),
      events: () => log.map((line) => JSON.parse(line) as ToldEvent).filter(({ event }) => event !== undefined),
      async nothingLeft() {
        const gone = async () => {
          const { vms, runners, addresses } = await world.leftovers();
          return vms === 0 && runners === 0 && addresses === 0;
        };
        await until("the microVMs are gone", gone, { deadlineMs: jobsDeadlineMs, everyMs: 250, tell: lastWords });
      },
      async stop() {
        await world.stop();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  } catch (caught) {
    rmSync(directory, { recursive: true, force: true });
    throw caught;
  }
}
