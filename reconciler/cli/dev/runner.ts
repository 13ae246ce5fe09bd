import { defineCommand } from "citty";
import { runRunnerCommand } from "../../embedded/runner/runner-command.js";
import type { Terminal } from "../terminal.js";

/** `firerunner dev runner`: the embedded runner alone, for a GitLab of anybody's. */
export const runnerCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner dev runner", description: "Run a small GitLab runner that executes jobs with bash on this machine" },
    args: {
      url: { type: "string", required: true, valueHint: "url", description: "The GitLab to ask for jobs" },
      "token-file": { type: "string", required: true, valueHint: "path", description: "A file with the runner's token (glrt-…)" },
      "builds-dir": { type: "string", default: "builds", valueHint: "path", description: "Where projects are cloned" },
      "max-builds": { type: "string", default: "0", valueHint: "n", description: "Jobs to run before it ends; 0 is without end" },
      "wait-timeout": { type: "string", default: "0", valueHint: "seconds", description: "End after so long without a job; 0 is never" },
    },
    async run({ rawArgs }) {
      process.exitCode = await runRunnerCommand(rawArgs, {
        env: process.env,
        say: (line) => terminal.complain(line),
        once: (signal, listener) => process.once(signal, listener),
      });
    },
  });
