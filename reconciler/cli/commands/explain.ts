import { defineCommand } from "citty";
import type { JobExplanation } from "../../http/explain-job.js";
import { createAdminClient } from "../admin-client.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import { findJob } from "../find-job.js";
import { jobStory } from "../job-story.js";
import { outputArg, structured } from "../output/render.js";
import { clean, table } from "../output/table.js";
import type { Terminal } from "../terminal.js";

/** `firerunner explain JOB`: why a job waits, or where it ran. */
export const explainCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner explain", description: "Tell why a job waits, or where it runs or ran" },
    args: {
      job: { type: "positional", required: true, description: "CONNECTION/PROJECT/JOB, or a job's id when no other job has it" },
      ...outputArg,
      ...clientArgs,
    },
    async run({ args }) {
      const client = createAdminClient(await clientSettings(args, terminal.env));
      const job = await findJob(client, args.job);
      const explanation = (await client.read(`/v1/jobs/${job.key}/explain`)) as JobExplanation;
      if (args.output === "json" || args.output === "yaml") {
        terminal.print(structured(explanation, args.output));
        return;
      }
      const { key, status, summary, code, facts } = explanation;
      terminal.print(`${terminal.style(`job ${key}`, "bold")} (${status}): ${clean(summary)}${code === undefined ? "" : ` (${code})`}`);
      for (const fact of facts) terminal.print(`- ${clean(fact)}`);
      terminal.print(table(["AT", "WHAT", "AFTER"], jobStory(job, Date.now()).steps, terminal.style));
    },
  });
