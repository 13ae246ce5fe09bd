import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../e2e/free-ports.fixture.js";
import { until } from "../e2e/until.fixture.js";

/** A registry of Debian's package, on loopback. */
export interface Registry {
  /** `HOST:PORT`, what references begin with. */
  readonly address: string;
  stop(): Promise<void>;
}

export async function startRegistry(directory: string): Promise<Registry> {
  const [port = 0] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const folder = join(directory, "registry");
  mkdirSync(folder, { recursive: true });
  const config = { version: "0.1", log: { level: "error" }, storage: { filesystem: { rootdirectory: folder } }, http: { addr: address } };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const child = spawn("docker-registry", ["serve", join(folder, "config.json")], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const stop = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  try {
    await until("the registry answers", () => answers(address, child));
    return { address, stop };
  } catch (caught) {
    await stop();
    throw caught;
  }
}

async function answers(address: string, child: ChildProcess): Promise<boolean> {
  if (child.exitCode !== null) throw new Error(`the registry ended with ${child.exitCode}`);
  try {
    return (await fetch(`http://${address}/v2/`)).ok;
  } catch {
    return false;
  }
}
