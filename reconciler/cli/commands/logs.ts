import { defineCommand } from "citty";
import { lastWordsType } from "../../guest/last-words.js";
import type { Declared } from "../../model/declared.js";
import { FireRunnerError } from "../../model/errors.js";
import type { Event } from "../../model/event.js";
import type { Host } from "../../model/host.js";
import type { Microvm } from "../../model/microvm.js";
import { type AdminClient, createAdminClient } from "../admin-client.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import { findJob } from "../find-job.js";
import { followFile } from "../follow-file.js";
import type { Terminal } from "../terminal.js";
import { untilAsked } from "../until-asked.js";
import { UsageError } from "../usage-error.js";

/**
 * `firerunner logs JOB`: what the job has written so far, as its forge has it. With `--guest` what the guest of a microVM
 * sent when it failed, with `--console` what the microVM wrote on its serial line.
 */
export const logsCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner logs", description: "Print a job's log, or what a microVM has to say" },
    args: {
      job: {
        type: "positional",
        required: true,
        description: "CONNECTION/PROJECT/JOB, or a job's id when no other job has it; a microVM's name with --guest and --console",
      },
      guest: { type: "boolean", default: false, description: "What the microVM's guest sent when it failed" },
      console: { type: "boolean", default: false, description: "The microVM's serial console, where an embedded host runs it" },
      follow: { type: "boolean", alias: "f", default: false, description: "With --console: go on until the microVM is gone" },
      tail: { type: "string", valueHint: "lines", description: "With --console: only so many of the last lines" },
      ...clientArgs,
    },
    async run({ args }) {
      if (args.guest && args.console) throw new UsageError("--guest and --console exclude each other");
      if (!args.console && (args.follow || args.tail !== undefined)) throw new UsageError("--follow and --tail go with --console");
      const tail = tailOf(args.tail);
      const client = createAdminClient(await clientSettings(args, terminal.env));
      if (args.console) return printConsole(args.job, client, terminal, { tail, follow: args.follow });
      terminal.write(ended(args.guest ? await guestLog(args.job, client) : await jobLog(args.job, client)));
    },
  });

const ended = (text: string): string => (text === "" || text.endsWith("\n") ? text : `${text}\n`);

function tailOf(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  if (!/^\d{1,9}$/.test(given)) throw new UsageError(`--tail: "${given}" is refused: must be a whole number of lines`);
  return Number(given);
}

async function jobLog(job: string, client: AdminClient): Promise<string> {
  const { key, status } = await findJob(client, job);
  return client.text(`/v1/jobs/${key}/log`).catch((error: unknown) => {
    if (!(error instanceof FireRunnerError) || error.code !== "FR-NOT-FOUND") throw error;
    throw new FireRunnerError("FR-NOT-FOUND", `job ${key} (${status}) has no log; \`firerunner describe job ${key}\` tells more`);
  });
}

async function guestLog(name: string, client: AdminClient): Promise<string> {
  const events = (await client.list("/v1/events", { subject: `microvm/${name}` })) as readonly Event[];
  const said = events.filter(({ type }) => type === lastWordsType).map(({ message }) => message.slice(message.indexOf("\n") + 1));
  if (said.length > 0) return said.map(ended).join("");
  throw new FireRunnerError("FR-NOT-FOUND", `the guest of microVM "${name}" has sent no log: only one that fails does`);
}

async function printConsole(
  name: string,
  client: AdminClient,
  terminal: Terminal,
  { tail, follow }: { readonly tail: number | undefined; readonly follow: boolean },
): Promise<void> {
  const [{ findConsole }, { devDirectory, runningDevState }] = await Promise.all([
    import("../dev/consoles.js"),
    import("../dev/dev-state.js"),
  ]);
  const microvm = (await unlessUnknown(client.read(`/v1/microvms/${encodeURIComponent(name)}`))) as Microvm | undefined;
  const declared = microvm === undefined ? undefined : await unlessUnknown(client.read(`/v1/hosts/${encodeURIComponent(microvm.host)}`));
  const host = (declared as Declared<Host> | undefined)?.spec;
  const { file, live } = findConsole({ name, microvm, host }, runningDevState(devDirectory(terminal.env)));
  // A guest writes what it likes: nothing of it controls whoever reads it.
  const write = (text: string) => terminal.write(text.replace(/[^\P{Cc}\n\t]/gu, ""));
  await followFile(file, { tail, follow: follow && live ? untilAsked().signal : undefined, write });
}

async function unlessUnknown(reading: Promise<unknown>): Promise<unknown> {
  try {
    return await reading;
  } catch (caught) {
    if (caught instanceof FireRunnerError && caught.code === "FR-NOT-FOUND") return undefined;
    throw caught;
  }
}
