import { existsSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { ownStoreLease, sharedStoreLease } from "./control/lease-times.js";
import type { ControlSettings } from "./control/ports.js";
import { systemRandom } from "./control/random.js";
import { type Reconciler, startReconciler } from "./control/reconciler.js";
import { createGrpcFlintlock } from "./flintlock/grpc/create-grpc-flintlock.js";
import { createGitLabForge } from "./forge/gitlab/gitlab-forge.js";
import { createGuest } from "./guest/guest.js";
import { startAdminListener } from "./http/admin-listener.js";
import { createDeclarations, type Declarations } from "./http/declarations.js";
import { startGuestListener } from "./http/guest-listener.js";
import { startPublicListener } from "./http/public-listener.js";
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
import { createLogger, type Logger } from "./telemetry/logger.js";
import { createMetrics } from "./telemetry/metrics.js";
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

/** What is started first is stopped last: webhooks end first, then the loop; the store outlives everything that writes. */
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
  const metrics = createMetrics();
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

  // Guests are told an address that is known only when their listener is bound, which needs them.
  let guestUrl = service.guest.url ?? "";
  const guest = createGuest({ store, sealer, clock, key, owner, url: () => guestUrl, cloudConfig: agentCloudConfig, ...caPem });
  const guestListener = await startGuestListener({ listener: listeners.guest, guest, logger, clock });
  shutdown.add("the guest listener", deadlinesMs.listener, () => guestListener.stop());
  guestUrl ||= guestListener.url;
  if (service.guest.url === undefined && /^(0\.0\.0\.0|\[::\]):/.test(listeners.guest.listen)) {
    logger.warn({ guestUrl }, "guest.url is not set: guests are sent to this machine's loopback address, where only guests on it arrive");
  }

  const observer = createLoopObserver({ store, logger, metrics, clock });
  // The admin API answers before the loop begins: until then, and after it, nobody leads.
  let reconciler: Reconciler | undefined;
  let adminUrl = listeners.admin.url ?? "";
  let isEnding = false;
  const settings = controlSettings(service, random);
  const replicas = joinReplicas({
    ...{ store, clock, key, name: settings.holder, guest, metrics },
    adminUrl: () => adminUrl,
    loop: () => reconciler,
  });
  const { board, relay, standing } = replicas;
  shutdown.add("the notes to other replicas", deadlinesMs.store, () => board.stop());
  const adminListener = await startAdminListener({
    listener: listeners.admin,
    store,
    declarations,
    clock,
    logger,
    metrics,
    token: adminToken,
    publicUrl: listeners.public.url,
    loop: {
      look: () => reconciler?.look(),
      sweepSoon: () => reconciler?.sweepSoon() ?? false,
      lastAnswer: (lane) => observer.lastAnswer(lane),
    },
    readiness: () => readReadiness({ store, clock, observer, standing, leader: () => board.leader()?.name, isEnding: () => isEnding }),
    replicas: () => board.replicas(),
    relay,
    copyStore: copierOf(store, { owner, keyId: sealingKeyId(key) }, clock),
    jobLog: (connection, projectId, jobId) => forge.jobLog(connection, projectId, jobId),
  });
  shutdown.add("the admin listener", deadlinesMs.listener, () => adminListener.stop());

  adminUrl ||= adminListener.url;

  const ports = { store, sealer, flintlock, forge, guest: replicas.guest, clock, random, observer: replicas.telling(observer) };
  const loop = startReconciler(ports, settings);
  shutdown.add("the loop", deadlinesMs.loop, () => stopLoop(clock, loop, [forge, flintlock]));
  reconciler = loop;

  const publicListener = await startPublicListener({
    listener: listeners.public,
    store,
    clock,
    logger,
    metrics,
    resolveSecret,
    pollSoon: (connection) => (loop.status().leading ? loop.pollSoon(connection) : board.wantPoll(connection)),
  });
  shutdown.add("the public listener", deadlinesMs.listener, () => publicListener.stop());

  const urls = { public: publicListener.url, guest: guestListener.url, admin: adminListener.url };
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
