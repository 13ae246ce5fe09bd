import { existsSync } from "node:fs";
import { FireRunnerError } from "../../model/errors.js";
import type { Host } from "../../model/host.js";
import type { Microvm } from "../../model/microvm.js";
import type { DevState } from "./dev-state.js";

/** Where the console of a microVM lies on this machine, and whether it may still grow. */
export interface FoundConsole {
  readonly file: string;
  readonly live: boolean;
}

/** What is known of a microVM whose console is looked for; nothing of it once it is gone. */
export interface ConsoleQuery {
  readonly name: string;
  readonly microvm: Microvm | undefined;
  readonly host: Host | undefined;
}

/**
 * Finds the console of a microVM on the embedded hosts of a development world, also for a while after the microVM is gone.
 * `FR-NOT-FOUND` says where it is when its host is another one, which no API of Flintlock's reads.
 */
export function findConsole({ name, microvm, host }: ConsoleQuery, world: DevState | undefined): FoundConsole {
  const own = world?.hosts.find(({ endpoint }) => endpoint === host?.endpoint);
  if (microvm?.uid !== undefined && own !== undefined) {
    const file = own.console.replace("{uid}", microvm.uid);
    if (existsSync(file)) return { file, live: true };
  }
  const kept = world?.hosts.map((each) => each.keptConsole.replace("{name}", name)).find((file) => existsSync(file));
  if (kept !== undefined) return { file: kept, live: false };
  throw new FireRunnerError("FR-NOT-FOUND", whereElse(name, microvm, host, own !== undefined));
}

function whereElse(name: string, microvm: Microvm | undefined, host: Host | undefined, isOwn: boolean): string {
  const guest = `\`firerunner logs --guest ${name}\` shows what its guest said if it failed`;
  if (microvm === undefined) return `no microVM is called "${name}" (any more), and no host on this machine kept its console; ${guest}`;
  if (microvm.uid === undefined || isOwn) return `microVM "${name}" has written nothing yet: its host "${microvm.host}" has not started it`;
  const folder = `/var/lib/flintlock/vm/*/${name}/${microvm.uid}`;
  return (
    `the console of microVM "${name}" is on its host "${microvm.host}" (${host?.endpoint ?? "not declared any more"}), whose API cannot read it: ` +
    `look there at ${folder}/firecracker.stdout, and at firecracker.log beside it, below flintlockd's --state-dir when that is another. ` +
    `They are there until the microVM is removed; ${guest}`
  );
}
