import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineCommand } from "citty";
import { systemRandom } from "../../control/random.js";
import { startEmbeddedGitLab } from "../../embedded/gitlab/start.js";
import { systemClock } from "../../model/clock.js";
import type { Terminal } from "../terminal.js";
import { untilAsked } from "../until-asked.js";

/** `firerunner dev gitlab`: the small GitLab alone, for anybody's tests. */
export const gitlabCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner dev gitlab", description: "Run a small GitLab: projects, pipelines, runners, hooks, all in memory" },
    args: {
      listen: { type: "string", default: "127.0.0.1:8480", valueHint: "address:port", description: "Where its HTTP API listens" },
      directory: { type: "string", valueHint: "path", description: "Where its repositories live (default: a new temporary directory)" },
    },
    async run({ args }) {
      const { asked } = untilAsked();
      const directory = args.directory ?? (await mkdtemp(join(tmpdir(), "firerunner-gitlab-")));
      const gitlab = await startEmbeddedGitLab({ listen: args.listen, directory, clock: systemClock, random: systemRandom });
      terminal.print(`GitLab on ${gitlab.url}, repositories in ${directory}`);
      terminal.print(`Administrator's token: ${gitlab.token}`);
      await asked;
      await gitlab.stop();
    },
  });
