import { defineCommand } from "citty";
import { z } from "zod";
import { createAdminClient } from "../admin-client.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import { timestamp } from "../output/times.js";
import { parseDuration } from "../parse-duration.js";
import type { Terminal } from "../terminal.js";
import { UsageError } from "../usage-error.js";
import { waitUntilDrained } from "../wait-until-drained.js";
import { whoAmI } from "../who-am-i.js";

const hostArg = { host: { type: "positional", required: true, description: "The host's name" } } as const;

/** How long `--wait` waits: past the drain's own deadline, because what it ends must still be deleted. */
const beyondDeadlineS = 300;
const withoutDeadlineS = 2 * 3600;

const answerSchema = z.object({ operations: z.array(z.object({ operation: z.string(), deadlineAt: z.int().optional() })) });

/** `firerunner cordon HOST`: it gets nothing new. */
export const cordonCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner cordon", description: "Give a host no new microVMs; what is on it goes on" },
    args: { ...hostArg, ...clientArgs },
    async run({ args }) {
      await tell(terminal, args, `hosts/${encodeURIComponent(args.host)}/cordon`);
      terminal.print(`host/${args.host} ${terminal.style("cordoned", "yellow")}: it gets no new microVMs, jobs on it go on`);
    },
  });

/** `firerunner uncordon HOST`: it is as if nobody had cordoned, drained or forgotten it. */
export const uncordonCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner uncordon", description: "Take back that a host was cordoned, drained or forgotten" },
    args: { ...hostArg, ...clientArgs },
    async run({ args }) {
      const { operations } = await tell(terminal, args, `hosts/${encodeURIComponent(args.host)}/uncordon`);
      if (operations.length === 0) terminal.print(`host/${args.host} ${terminal.style("open", "green")}: it gets new microVMs again`);
      else terminal.print(`host/${args.host} is still drained: whoever removes it waits for that`);
    },
  });

/** `firerunner drain HOST`: it gives up what has no job, and with a deadline what has one, too. */
export const drainCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner drain", description: "Empty a host: nothing new, what has no job goes, running jobs may end" },
    args: {
      ...hostArg,
      deadline: { type: "string", valueHint: "duration", description: "After this (10m, 1h30m) jobs that still run there are ended too" },
      wait: { type: "boolean", description: "Wait until it is empty" },
      timeout: {
        type: "string",
        valueHint: "duration",
        description: "How long --wait waits (default: 5m beyond the deadline, or 2h without one)",
      },
      ...clientArgs,
    },
    async run({ args }) {
      const deadlineS = args.deadline === undefined ? undefined : parseDuration(args.deadline, "--deadline");
      const timeoutS =
        args.timeout === undefined
          ? deadlineS === undefined
            ? withoutDeadlineS
            : deadlineS + beyondDeadlineS
          : parseDuration(args.timeout, "--timeout");
      if (args.timeout !== undefined && args.wait !== true) throw new UsageError("--timeout is for --wait");
      const body = deadlineS === undefined ? {} : { deadlineS };
      const { operations } = await tell(terminal, args, `hosts/${encodeURIComponent(args.host)}/drain`, body);
      const deadlineAt = operations.find(({ operation, deadlineAt }) => operation === "drain" && deadlineAt !== undefined)?.deadlineAt;
      const until = deadlineAt === undefined ? "jobs on it may end" : `jobs on it may run until ${timestamp(deadlineAt)}`;
      terminal.print(`host/${args.host} ${terminal.style("draining", "yellow")}: it gets no new microVMs, ${until}`);
      if (args.wait !== true) return;
      const client = createAdminClient(await clientSettings(args, terminal.env));
      await waitUntilDrained({ client, host: args.host, timeoutS, say: (line) => terminal.print(line) });
      terminal.print(`host/${args.host} ${terminal.style("drained", "green")}: nothing is left on it`);
    },
  });

/** `firerunner host forget NAME`: for a machine that never comes back. */
export const hostCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner host", description: "What is seldom done with a host" },
    subCommands: {
      forget: defineCommand({
        meta: {
          name: "firerunner host forget",
          description: "Give up a machine that never comes back: its microVMs count as gone, their runners are removed",
        },
        args: {
          ...hostArg,
          force: { type: "boolean", description: "Even if it still shows signs of life: what runs there is left to itself" },
          ...clientArgs,
        },
        async run({ args }) {
          const body = args.force === true ? { force: true } : {};
          await tell(terminal, args, `hosts/${encodeURIComponent(args.host)}/forget`, body);
          terminal.print(
            `host/${args.host} ${terminal.style("forgotten", "yellow")}: its microVMs count as gone; remove its declaration, or uncordon it if it comes back`,
          );
        },
      }),
    },
  });

async function tell(terminal: Terminal, args: Parameters<typeof clientSettings>[0], path: string, body: unknown = {}) {
  const client = createAdminClient(await clientSettings(args, terminal.env));
  return answerSchema.parse(await client.post(`/v1/${path}`, body, whoAmI(terminal.env)));
}
