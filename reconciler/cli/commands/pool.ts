import { defineCommand } from "citty";
import { createAdminClient } from "../admin-client.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import type { Terminal } from "../terminal.js";
import { UsageError } from "../usage-error.js";
import { whoAmI } from "../who-am-i.js";

const poolArgs = {
  kind: { type: "positional", required: true, description: "pool" },
  name: { type: "positional", required: true, description: "The pool's name" },
  ...clientArgs,
} as const;

/** `firerunner pause pool NAME`: nothing new is made for it. */
export const pauseCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner pause", description: "Make nothing new for a pool; its jobs wait, those that run go on" },
    args: poolArgs,
    async run({ args }) {
      await tell(terminal, args, "pause");
      terminal.print(`pool/${args.name} ${terminal.style("paused", "yellow")}: nothing new is made for it, its jobs wait`);
    },
  });

/** `firerunner resume pool NAME`: the opposite. */
export const resumeCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner resume", description: "Serve a pool's jobs again" },
    args: poolArgs,
    async run({ args }) {
      await tell(terminal, args, "resume");
      terminal.print(`pool/${args.name} ${terminal.style("resumed", "green")}: its jobs are served again`);
    },
  });

interface PoolArgs extends Readonly<Record<"kind" | "name", string>> {
  readonly url?: string | undefined;
  readonly "token-file"?: string | undefined;
}

async function tell(terminal: Terminal, args: PoolArgs, verb: "pause" | "resume"): Promise<void> {
  if (!/^pools?$/.test(args.kind)) throw new UsageError(`"${args.kind}" is refused: only a pool can be ${verb}d`);
  const client = createAdminClient(await clientSettings(args, terminal.env));
  await client.post(`/v1/pools/${encodeURIComponent(args.name)}/${verb}`, {}, whoAmI(terminal.env));
}
