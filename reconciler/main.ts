import { existsSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { ownStoreLease, sharedStoreLease } from "./control/lease-times.js";
import type { ControlSettings } from "./control/ports.js";
import { systemRandom } from "./control/random.js";
import { type Reconciler, startReconciler } from "./control/reconciler.js";
import { createGrpcFlintlock } from "./flintlock/grpc/create-grpc-flintlock.js";
import { createGitLabForge } from "./forge/gitlab/gitlab-forge.js";
import { createGuest } from "./guest/guest.js";
import { bindListener, guestRequestTimeoutMs } from "./http/bound-listener.js";
import { createDeclarations, type Declarations } from "./http/declarations.js";
import { agentCloudConfig } from "./images/cloud-config.js";
import { joinReplicas } from "./join-replicas.js";
import { createLoopObserver, logEvents } from "./loop-observer.js";
import { type Clock, type Random, systemClock } from "./model/clock.js";
import { FireRunnerError } from "./model/errors.js";
import { fleetSchema } from "./model/fleet.js";
import type { Service } from "./model/service.js";
import type { Refusal } from "./model/validation.js";
import { openStore } from "./open-store.js";
import { readReadiness } from "./readiness.js";
import { createSecretResolver, type ResolveSecret } from "./secrets/resolve-secret.js";
import { createShutdown, type Shutdown } from "./shutdown.js";
import { openStateDir, type StateDir } from "./state-dir.js";
import { adminTokenFile, adminUrlFile, keyFile, storeFile } from "./state-files.js";
import { stopLoop } from "./stop-loop.js";
import type { Store } from "./store/port.js";
import { createSealer, sealingKeyId } from "./store/sealer.js";
import type { BackupNote } from "./store/sqlite/backup.js";
import { isCopyable } from "./store/sqlite/sqlite-store.js";
import { createEarlyMetrics } from "./telemetry/early-metrics.js";
import { createLogger, type Logger } from "./telemetry/logger.js";
import { watchQueues } from "./telemetry/watch-queues.js";
import { watchStore } from "./telemetry/watch-store.js";
import { checkYaml, readYamlFile, refusedInFile } from "./yaml-file.js";

export interface StartServiceOptions {
  readonly service: Service;
  /** Where `env:` references and `LOG_LEVEL` are looked up; the process's own environment when left out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A service that is up: its listeners answer and its loop runs. */
export interface RunningService {
  readonly urls: { readonly public: string; readonly guest: string; readonly admin: string };
  readonly adminToken: string;
  readonly store: Store;
  /** Takes nothing new, ends what is under way within bounded time, and closes the store. MicroVMs and jobs go on. */
  stop(): Promise<void>;
}

/** How long each part may take to stop: the loop waits a little for calls under way, listeners for requests. */
const deadlinesMs = { loop: 10_000, listener: 8_000, client: 5_000, store: 5_000 } as const;

/** What calls the service waits no longer than this for a loop that still waits for hosts and forges. */
const answersWithinMs = 1_000;

/**
 * Builds the whole service and starts it. Rejects with `FR-CONFIG` (state directory, key, certificates, addresses, fleet
 * file), `FR-STORE`, `FR-STORE-NEWER` or `FR-STORE-SEALED`, and then nothing is left running.
 */
export async function startService(options: StartServiceOptions): Promise<RunningService> {
  const { service } = options;
  const env = options.env ?? process.env;
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? createLogger({ level: service.telemetry.logLevel, env });
  const shutdown = createShutdown(clock, logger);
  try {
    return await build({
      service,
      clock,
      random: options.random ?? systemRandom,
      logger,
      shutdown,
      resolveSecret: createSecretResolver(env),
    });
  } catch (caught) {
    await shutdown.run();
    throw caught;
  }
}

interface Parts {
  readonly service: Service;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly shutdown: Shutdown;
  readonly resolveSecret: ResolveSecret;
}

/**
 * What is started first is stopped last: webhooks end first, then the loop; the store outlives everything that writes. The loop
 * begins as soon as every address is taken, and before what answers there is loaded.
 */
async function build({ service, clock, random, logger, shutdown, resolveSecret }: Parts): Promise<RunningService> {
  const { listeners, owner } = service;
  const stateDir = openStateDir(service.stateDir);
  const key = keyOf(service, stateDir, resolveSecret);
  const adminToken = service.admin.token === undefined ? stateDir.secret(adminTokenFile, 32) : resolveSecret(service.admin.token);
  const caPem = service.guest.caFile === undefined ? {} : { caPem: readCa(service.guest.caFile) };
  const sealer = createSealer(key);

  const store = await openStore(service, {
    clock,
    random,
    resolveSecret,
    key,
    defaultPath: stateDir.path(storeFile),
    onFault: (error) => logger.error({ error, code: error.code }, error.message),
  });
  shutdown.add("the store", deadlinesMs.store, () => store.stop());
  const early = createEarlyMetrics();
  const metrics = early.recorder;
  shutdown.add("the metrics", deadlinesMs.store, watchStore(store, metrics));
  shutdown.add("the metrics of queues", deadlinesMs.store, watchQueues(store, metrics, clock));
  shutdown.add("the event log", deadlinesMs.store, logEvents(store, logger));
  const declarations = createDeclarations({ store, clock });
  if (service.fleetFile !== undefined) await applyFleetFile(service.fleetFile, declarations, logger);

  const onRequest = (connection: string, outcome: string) => metrics.forgeRequest(connection, outcome);
  const forge = createGitLabForge({ clock, random, resolveSecret, onRequest });
  metrics.countBudgets(() => forge.budgets().filter(({ connection }) => store.get("connection", connection) !== undefined));
  shutdown.add("the forge client", deadlinesMs.client, () => forge.stop());
  const flintlock = createGrpcFlintlock({ clock, random, resolveSecret });
  shutdown.add("the host client", deadlinesMs.client, () => flintlock.stop());

  // An address that cannot be had ends the start before anything is decided. Whoever calls meanwhile waits.
  const bound = { logger, clock };
  const guestAddress = await bindListener({ ...bound, name: "guest", listener: listeners.guest, requestTimeoutMs: guestRequestTimeoutMs });
  shutdown.add("the guest listener", deadlinesMs.listener, () => guestAddress.stop());
  const guestUrl = service.guest.url ?? guestAddress.url;
  const guest = createGuest({ store, sealer, clock, key, owner, url: () => guestUrl, cloudConfig: agentCloudConfig, ...caPem });
  if (service.guest.url === undefined && /^(0\.0\.0\.0|\[::\]):/.test(listeners.guest.listen)) {
    logger.warn({ guestUrl }, "guest.url is not set: guests are sent to this machine's loopback address, where only guests on it arrive");
  }

  const observer = createLoopObserver({ store, logger, metrics, clock });
  let reconciler: Reconciler | undefined;
  const adminAddress = await bindListener({ ...bound, name: "admin", listener: listeners.admin });
  shutdown.add("the admin listener", deadlinesMs.listener, () => adminAddress.stop());
  let isEnding = false;
  const settings = controlSettings(service, random);
  const replicas = joinReplicas({
    ...{ store, clock, key, name: settings.holder, guest, metrics },
    adminUrl: listeners.admin.url ?? adminAddress.url,
    loop: () => reconciler,
  });
  const { board, relay, standing } = replicas;
  shutdown.add("the notes to other replicas", deadlinesMs.store, () => board.stop());
  const ports = { store, sealer, flintlock, forge, guest: replicas.guest, clock, random, observer: replicas.telling(observer) };
  const publicAddress = await bindListener({ ...bound, name: "public", listener: listeners.public });
  const loop = startReconciler(ports, settings);
  shutdown.add("the loop", deadlinesMs.loop, () => stopLoop(clock, loop, [forge, flintlock]));
  shutdown.add("the public listener", deadlinesMs.listener, () => publicAddress.stop());
  reconciler = loop;

  // What answers is loaded while nothing else is to be done: jobs that wait have microVMs sooner that way.
  await orLater(clock, loop.settled());
  const [{ startGuestListener }, { startAdminListener }, { startPublicListener }, loaded] = await Promise.all([
    import("./http/guest-listener.js"),
    import("./http/admin-listener.js"),
    import("./http/public-listener.js"),
    early.load(),
  ]);
  await startGuestListener({ listener: listeners.guest, bound: guestAddress, guest, logger, clock });
  await startAdminListener({
    listener: listeners.admin,
    bound: adminAddress,
    store,
    declarations,
    clock,
    logger,
    metrics: loaded,
    token: adminToken,
    publicUrl: listeners.public.url,
    loop: {
      look: () => loop.look(),
      sweepSoon: () => loop.sweepSoon(),
      lastAnswer: (lane) => observer.lastAnswer(lane),
    },
    readiness: () => readReadiness({ store, clock, observer, standing, leader: () => board.leader()?.name, isEnding: () => isEnding }),
    replicas: () => board.replicas(),
    relay,
    copyStore: copierOf(store, { owner, keyId: sealingKeyId(key) }, clock),
    jobLog: (connection, projectId, jobId) => forge.jobLog(connection, projectId, jobId),
  });
  const publicListener = await startPublicListener({
    listener: listeners.public,
    bound: publicAddress,
    store,
    clock,
    logger,
    metrics: loaded,
    resolveSecret,
    pollSoon: (connection) => (loop.status().leading ? loop.pollSoon(connection) : board.wantPoll(connection)),
  });
  shutdown.add("the public listener's intake", deadlinesMs.listener, () => publicListener.stop());

  const urls = { public: publicAddress.url, guest: guestAddress.url, admin: adminAddress.url };
  stateDir.write(adminUrlFile, `${urls.admin}\n`);
  const where = service.admin.token === undefined ? `in ${stateDir.path(adminTokenFile)}` : "the one that was given";
  logger.info({ owner, urls }, `FireRunner is up; the admin API's token is ${where}`);
  return {
    ...{ urls, adminToken, store },
    async stop() {
      isEnding = true;
      if (service.drainS > 0) await new Promise<void>((resolve) => clock.after(service.drainS * 1000, resolve));
      await shutdown.run();
    },
  };
}

/** Resolves with `settled`, but waits no longer than whoever calls meanwhile would notice. */
function orLater(clock: Clock, settled: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(answersWithinMs, resolve);
    void settled.then(() => {
      cancel();
      resolve();
    });
  });
}

/** A new key for an old store would make its secrets unreadable and its microVMs strangers: that is refused. */
function keyOf(service: Service, stateDir: StateDir, resolveSecret: ResolveSecret): string {
  if (service.key !== undefined) return resolveSecret(service.key);
  const file = storeFileOf(service, stateDir);
  if (!stateDir.has(keyFile) && file !== undefined && existsSync(file)) {
    throw new FireRunnerError(
      "FR-CONFIG",
      `the store ${file} exists, but its key ${stateDir.path(keyFile)} does not: bring the key back, or remove the store to begin anew`,
    );
  }
  return stateDir.secret(keyFile, 32);
}

/** How the store is copied, beside itself: whoever asks for it opens the copy and removes its name in the same moment. */
function copierOf(store: Store, whose: Omit<BackupNote, "madeAt">, clock: Clock): (() => string) | undefined {
  if (!isCopyable(store)) return undefined;
  return () => {
    const path = `${store.path}.copy`;
    // One that a process left that was killed meanwhile.
    rmSync(path, { force: true });
    store.copyTo(path, { ...whose, madeAt: clock.now() });
    return path;
  };
}

/** The embedded store that the service would open; others are not in a file. */
function storeFileOf({ store }: Service, stateDir: StateDir): string | undefined {
  return store.kind === "sqlite" ? (store.path ?? stateDir.path(storeFile)) : undefined;
}

function readCa(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", `reading guest.caFile ${file}`);
  }
}

async function applyFleetFile(path: string, declarations: Declarations, logger: Logger): Promise<void> {
  const file = readYamlFile(path, "FR-CONFIG");
  const applied = await declarations.apply(checkYaml(fleetSchema, file, "FR-CONFIG")).catch((error: unknown) => {
    if (!(error instanceof FireRunnerError) || error.code !== "FR-INVALID") throw error;
    throw refusedInFile(error.details.refusals as readonly Refusal[], file, "FR-CONFIG");
  });
  const changed = applied.filter(({ outcome }) => outcome !== "unchanged").map(({ kind, name, outcome }) => `${kind}/${name} ${outcome}`);
  logger.info({ fleetFile: path, changed }, "the fleet file is applied");
}

function controlSettings({ owner, schedules, listeners, store }: Service, random: Random): ControlSettings {
  const { pollS, pollHealthyS, listHostsS, sweepS, settleS } = schedules;
  return {
    owner,
    holder: `${hostname()}-${random.hex(4)}`,
    lease: store.kind === "redis" ? sharedStoreLease : ownStoreLease,
    publicUrl: listeners.public.url,
    schedules: {
      pollMs: pollS * 1000,
      pollHealthyMs: pollHealthyS * 1000,
      listHostsMs: listHostsS * 1000,
      sweepMs: sweepS * 1000,
      settleMs: settleS * 1000,
    },
  };
}
