import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { defineCommand } from "citty";
import { FireRunnerError } from "../../model/errors.js";
import { createAdminClient } from "../admin-client.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import { timestamp } from "../output/times.js";
import type { Terminal } from "../terminal.js";

/** `firerunner backup FILE`: a consistent copy of the embedded store, while the service runs. */
export const backupCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner backup", description: "Copy the embedded store into a file while the service runs" },
    args: { file: { type: "positional", required: true, description: "Where to put it; it must not be there yet" }, ...clientArgs },
    async run({ args }) {
      const { file } = args;
      if (existsSync(file)) throw new FireRunnerError("FR-INVALID", `${file} is there already: name another file, or remove it`);
      const client = createAdminClient(await clientSettings(args, terminal.env));
      const draft = `${file}.part`;
      try {
        write(draft, await client.bytes("/v1/backup"));
        const { readBackup } = await import("../../store/sqlite/backup.js");
        const { records, bytes, owner, madeAt } = readBackup(draft);
        renameSync(draft, file);
        const when = madeAt === undefined ? "" : `, made at ${timestamp(madeAt)}`;
        terminal.print(`${file}: ${records} records of owner "${owner}" in ${bytes} bytes${when}; keep the service's key with it`);
      } finally {
        rmSync(draft, { force: true });
      }
    },
  });

function write(path: string, content: Uint8Array): void {
  try {
    const file = openSync(path, "w", 0o600);
    try {
      writeSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", `writing ${path}`);
  }
}
