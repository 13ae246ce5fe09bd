import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inject } from "vitest";
import type { ImageStore } from "../../reconciler/images/image-store.js";
import { runTool } from "../../reconciler/images/run-tool.js";
import type { AtEnd } from "../e2e/begin-world.fixture.js";
import { type Child, firerunner, root, startChild } from "../e2e/child.fixture.js";
import { freePorts } from "../e2e/free-ports.fixture.js";
import { until } from "../e2e/until.fixture.js";
import { type HostNetwork, makeHostNetwork } from "./host-network.fixture.js";

/** A real flintlockd with all that it needs, in a network namespace of its own. */
export interface Flintlockd {
  readonly network: HostNetwork;
  /** `HOST:PORT` of its API. */
  readonly endpoint: string;
  /** Puts an image into the registry of this host; resolves to the reference by which the host finds it. */
  push(store: ImageStore, name: string): Promise<string>;
  /** The process ids of the monitors that run, by microVM uid. */
  monitors(): ReadonlyMap<string, number>;
  /** A file that flintlockd keeps of a microVM. */
  file(uid: string, name: string): string;
  /** Ends the daemon without a warning; its microVMs run on. */
  kill(): Promise<void>;
  /** Starts the daemon again. */
  bringUp(): Promise<void>;
  /** What daemons and consoles said last. */
  lastWords(): string;
}

/** The disk of every microVM: copied for each, so no larger than the images need. */
const diskBytes = { boot: 900_000_000, stay: 20_000_000 };
const resyncPeriod = "10s";

/** Starts it. What was begun is ended by `atEnd`, microVMs included. `guests` says whether microVMs boot, or only stay. */
export async function startFlintlockd(directory: string, atEnd: AtEnd, guests: "boot" | "stay"): Promise<Flintlockd> {
  const network = makeHostNetwork();
  atEnd(network.remove);
  const file = (...path: readonly string[]) => join(directory, ...path);
  const env = { PATH: process.env.PATH ?? "/usr/sbin:/usr/bin", HOME: directory, TMPDIR: directory };
  const start = (...command: readonly string[]) => startChild([...network.within, ...command], { cwd: directory, env });
  const [registryPort = 0] = await freePorts(1);
  const registry = start("docker-registry", "serve", writeRegistryConfig(directory, registryPort));
  atEnd(registry.stop);
  const containerd = start(
    inject("containerd"),
    "--config",
    await writeContainerdConfig(directory, diskBytes[guests]),
    "--log-level",
    "warn",
  );
  atEnd(containerd.stop);
  const launcher = writeLauncher(directory, guests);
  const endpoint = `${network.host}:9090`;
  const isUp = (port: number) => network.run("ss", "-Hltn").includes(`:${port} `);
  const state = file("flintlock");
  const monitors = () => runningMonitors(join(state, "vm"));
  let daemon: Child | undefined;
  const daemons: Child[] = [];
  const lastWords = () =>
    [registry, containerd, ...daemons].map((child) => child.output().split("\n").slice(-30).join("\n")).join("\n==\n");
  const bringUp = async () => {
    const flintlockd = inject("flintlockd");
    if (flintlockd.kind === "missing") throw new Error(flintlockd.reason);
    const begun = start(
      flintlockd.path,
      ...["run", "--insecure", "--grpc-endpoint", endpoint, "--bridge-name", network.bridge, "--resync-period", resyncPeriod],
      ...["--state-dir", state, "--containerd-socket", file("containerd.sock"), "--firecracker-bin", launcher],
    );
    daemons.push(begun);
    daemon = begun;
    await until("flintlockd listens", () => isUp(9090), { tell: lastWords });
  };
  const kill = async () => daemon?.stop();
  atEnd(async () => {
    await kill();
    for (const pid of monitors().values()) process.kill(pid, "SIGKILL");
    await until("the monitors have ended", () => monitors().size === 0);
  });
  await until("the registry listens", () => isUp(registryPort), { tell: lastWords });
  await until("containerd listens", () => readdirSync(directory).includes("containerd.sock"), { tell: lastWords });
  await bringUp();
  return {
    network,
    endpoint,
    async push(store, name) {
      const image = `127.0.0.1:${registryPort}/firerunner/${name}`;
      network.run(
        "skopeo",
        "copy",
        "--quiet",
        "--preserve-digests",
        "--dest-tls-verify=false",
        `oci:${store.layout}:${name}`,
        `docker://${image}`,
      );
      return `${image}@${(await store.find(name))?.digest}`;
    },
    monitors,
    file: (uid, name) => readFileSync(join(folders(join(state, "vm")).get(uid) ?? "", name), "utf8"),
    kill,
    bringUp,
    lastWords,
  };
}

/** What flintlockd takes for Firecracker's binary. */
function writeLauncher(directory: string, guests: "boot" | "stay"): string {
  const path = join(directory, "firecracker");
  const command = firerunner.map((word) => `'${word}'`).join(" ");
  const boot = ["export FIRERUNNER_ACCELERATOR=tcg", `cd '${root}'`, `exec ${command} dev vmm "$@"`];
  const lines = ["#!/bin/sh", ...(guests === "boot" ? boot : ["while :; do sleep 1; done"])];
  writeFileSync(path, `${lines.join("\n")}\n`, { mode: 0o755 });
  return path;
}

function writeRegistryConfig(directory: string, port: number): string {
  const storage = { filesystem: { rootdirectory: join(directory, "registry") } };
  const path = join(directory, "registry.json");
  writeFileSync(path, JSON.stringify({ version: "0.1", log: { level: "error" }, storage, http: { addr: `127.0.0.1:${port}` } }));
  return path;
}

async function writeContainerdConfig(directory: string, size: number): Promise<string> {
  const scratch = join(directory, "scratch.ext4");
  writeFileSync(scratch, "");
  truncateSync(scratch, size);
  await runTool("mke2fs", ["-q", "-t", "ext4", "-O", "^has_journal", "-E", "lazy_itable_init=0", scratch], { limitMs: 60_000 });
  const lines = [
    "version = 2",
    `root = "${join(directory, "containerd")}"`,
    `state = "${join(directory, "containerd-state")}"`,
    "[grpc]",
    `address = "${join(directory, "containerd.sock")}"`,
    '[plugins."io.containerd.snapshotter.v1.devmapper"]',
    `scratch_file = "${scratch}"`,
  ];
  const path = join(directory, "containerd.toml");
  writeFileSync(path, `${lines.join("\n")}\n`);
  mkdirSync(join(directory, "containerd"), { recursive: true });
  return path;
}

/** The state directories of microVMs by uid: `NAMESPACE/NAME/UID` below one. */
function folders(state: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const path of list(state, true)) {
    const parts = path.split("/");
    if (parts.length === 3) found.set(parts[2] ?? "", join(state, path));
  }
  return found;
}

function runningMonitors(state: string): ReadonlyMap<string, number> {
  const running = new Map<string, number>();
  for (const [uid, folder] of folders(state)) {
    const pid = Number(read(join(folder, "firecracker.pid")));
    if (pid > 0 && read(`/proc/${pid}/cmdline`).includes(uid)) running.set(uid, pid);
  }
  return running;
}

function list(folder: string, recursive: boolean): readonly string[] {
  try {
    return readdirSync(folder, { recursive, encoding: "utf8" });
  } catch {
    // Not made yet, or removed while it was read.
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
