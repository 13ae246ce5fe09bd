import { defineCommand } from "citty";
import { timestamp } from "../output/times.js";
import type { Terminal } from "../terminal.js";
import { readServiceFile } from "./serve.js";

/** `firerunner restore FILE`: puts a backup in the place of a stopped service's store. */
export const restoreCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner restore", description: "Put a backup in the place of the embedded store of a stopped service" },
    args: {
      file: {
        type: "positional",
        required: true,
        description: "A file made by `firerunner backup`, or the store file of a stopped service",
      },
      config: { type: "string", alias: "c", default: "firerunner.yaml", valueHint: "path", description: "The service file" },
    },
    async run({ args }) {
      const service = readServiceFile(args.config);
      const { restoreInto } = await import("../../restore-into.js");
      const { backup, kept, before } = restoreInto(service, args.file, terminal.env);
      const when = backup.madeAt === undefined ? "" : ` of ${timestamp(backup.madeAt)}`;
      terminal.print(`restored ${args.file}${when}: ${kept} of its ${backup.records} records, what was declared and told by operators`);
      if (before !== undefined) terminal.print(`the store that was there is ${before} now`);
      terminal.print("start the service: jobs, microVMs and runners are read from the forges and hosts again");
    },
  });
