import { defineCommand } from "citty";
import { FireRunnerError } from "../../model/errors.js";
import { createAdminClient } from "../admin-client.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import { findJob } from "../find-job.js";
import type { Terminal } from "../terminal.js";

/** `firerunner logs JOB`: what the job has written so far, as its forge has it. */
export const logsCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner logs", description: "Print a job's log" },
    args: {
      job: { type: "positional", required: true, description: "CONNECTION/PROJECT/JOB, or a job's id when no other job has it" },
      ...clientArgs,
    },
    async run({ args }) {
      const client = createAdminClient(await clientSettings(args, terminal.env));
      const { key, status } = await findJob(client, args.job);
      const log = await client.text(`/v1/jobs/${key}/log`).catch((error: unknown) => {
        if (!(error instanceof FireRunnerError) || error.code !== "FR-NOT-FOUND") throw error;
        throw new FireRunnerError("FR-NOT-FOUND", `job ${key} (${status}) has no log; \`firerunner describe job ${key}\` tells more`);
      });
      terminal.write(log === "" || log.endsWith("\n") ? log : `${log}\n`);
    },
  });
