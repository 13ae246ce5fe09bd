import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Connection, openConnection } from "../../reconciler/store/redis/connection.js";
import { freePorts } from "../e2e/free-ports.fixture.js";
import { until } from "../e2e/until.fixture.js";

/** A Redis server of its own, on loopback, with an append-only file in a directory of its own. */
export interface RedisProcess {
  readonly port: number;
  readonly pid: () => number;
  /** What it was told, and what it answered. */
  send(...command: readonly string[]): Promise<unknown>;
  /** Ends it with a signal, and waits until it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again, on the same port and with the same files. */
  start(): Promise<void>;
  /** Ends it for good, and removes its files. */
  stop(): Promise<void>;
}

export interface RedisProcessOptions {
  /** Where its files are; a new directory when left out. */
  readonly directory?: string;
  readonly mode?: "server" | "sentinel";
  readonly password?: string;
  /** Whether every write is on the disk before it is answered: without, the end of the process may take the newest with it. */
  readonly durable?: boolean;
  /** Further lines of its configuration. */
  readonly config?: readonly string[];
}

export async function startRedis({
  directory,
  mode = "server",
  password,
  durable = false,
  config = [],
}: RedisProcessOptions = {}): Promise<RedisProcess> {
  const folder = directory ?? mkdtempSync(join(tmpdir(), "firerunner-redis-"));
  const [port = 0] = await freePorts(1);
  const file = join(folder, `${mode}-${port}.conf`);
  const secrets = password === undefined ? [] : [`requirepass ${password}`];
  const fsync = durable ? "always" : "everysec";
  const lines = mode === "sentinel" ? [] : ["appendonly yes", `appendfsync ${fsync}`, "save ''", "repl-diskless-sync-delay 0"];
  writeFileSync(
    file,
    [`port ${port}`, "bind 127.0.0.1", `dir ${folder}`, "loglevel warning", ...lines, ...secrets, ...config, ""].join("\n"),
  );
  let child: ChildProcess | undefined;
  let connection: Connection | undefined;

  const login = password === undefined ? {} : { password };
  const connect = () => openConnection({ endpoint: { host: "127.0.0.1", port }, ...login });
  async function start(): Promise<void> {
    child = spawn("redis-server", [file, ...(mode === "sentinel" ? ["--sentinel"] : [])], { stdio: "ignore" });
    await until(`redis-server on port ${port} answers`, async () => {
      const tried = await connect().catch(() => undefined);
      const answer = await tried?.send("PING").catch(() => undefined);
      tried?.close();
      return answer === "PONG";
    });
  }
  async function kill(signal: NodeJS.Signals): Promise<void> {
    connection?.close();
    connection = undefined;
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = once(ending, "exit");
    ending.kill(signal);
    await exited;
  }

  await start();
  return {
    port,
    pid: () => child?.pid ?? Number.NaN,
    async send(...command) {
      const asked = connection ?? (await connect());
      connection = asked;
      try {
        return await asked.send(...command);
      } catch (caught) {
        // A server that becomes another's replica ends all connections.
        asked.close();
        if (connection === asked) connection = undefined;
        throw caught;
      }
    },
    kill,
    start,
    async stop() {
      await kill("SIGKILL");
      if (directory === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}
