import type { CommandDef } from "citty";
import type { Terminal } from "./terminal.js";

/** The commands, told apart from their code: help for all of them loads none. */
const summaries = {
  dev: "Run a pipeline in a small GitLab, two embedded hosts and FireRunner, all on this machine",
  serve: "Run the reconciler service",
  image: "Build, inspect, check and push the kernels and root file systems of microVMs",
  apply: "Declare the hosts, images, connections and pools of a fleet file",
  export: "Print what is declared, as a fleet file or for `pulumi import`",
  get: "List hosts, images, connections, pools, microvms, jobs, events or replicas",
  describe: "Show one thing: its record, conditions and events; of a job, why it waits",
  logs: "Print a job's log",
  explain: "Tell why a job waits, or where it runs or ran",
  plan: "Show what the service would decide and do at this moment, and why",
  dlq: "List, show, retry or drop what kept failing and was set aside (dead letters)",
  simulate: "Run the service in a simulated world that a seed decides, or a day of past jobs",
  gc: "Search every host and forge for leftovers now; --dry-run shows what would go",
  backup: "Copy the embedded store into a file while the service runs",
  restore: "Put a backup in the place of the embedded store of a stopped service",
  cordon: "Give a host no new microVMs",
  uncordon: "Take back that a host was cordoned, drained or forgotten",
  drain: "Empty a host: nothing new, what has no job goes, running jobs may end",
  host: "host forget NAME: give up a machine that never comes back",
  pause: "pause pool NAME: make nothing new for a pool",
  resume: "resume pool NAME: serve a pool's jobs again",
} as const;

const meta = { name: "firerunner", description: "Every CI job in its own short-lived Firecracker microVM, on hosts that you own" };

/** `firerunner`: each command is loaded only when it is asked for. */
export function rootCommand(terminal: Terminal): CommandDef {
  const commands: Record<keyof typeof summaries, () => Promise<CommandDef>> = {
    dev: async () => loose((await import("./dev/command.js")).devCommand(terminal)),
    serve: async () => loose((await import("./commands/serve.js")).serveCommand(terminal)),
    image: async () => loose((await import("./commands/image.js")).imageCommand(terminal)),
    apply: async () => loose((await import("./commands/apply.js")).applyCommand(terminal)),
    export: async () => loose((await import("./commands/export.js")).exportCommand(terminal)),
    get: async () => loose((await import("./commands/get.js")).getCommand(terminal)),
    describe: async () => loose((await import("./commands/describe.js")).describeCommand(terminal)),
    logs: async () => loose((await import("./commands/logs.js")).logsCommand(terminal)),
    explain: async () => loose((await import("./commands/explain.js")).explainCommand(terminal)),
    plan: async () => loose((await import("./commands/plan.js")).planCommand(terminal)),
    dlq: async () => loose((await import("./commands/dlq.js")).dlqCommand(terminal)),
    simulate: async () => loose((await import("./commands/simulate.js")).simulateCommand(terminal)),
    gc: async () => loose((await import("./commands/gc.js")).gcCommand(terminal)),
    backup: async () => loose((await import("./commands/backup.js")).backupCommand(terminal)),
    restore: async () => loose((await import("./commands/restore.js")).restoreCommand(terminal)),
    cordon: async () => loose((await import("./commands/host.js")).cordonCommand(terminal)),
    uncordon: async () => loose((await import("./commands/host.js")).uncordonCommand(terminal)),
    drain: async () => loose((await import("./commands/host.js")).drainCommand(terminal)),
    host: async () => loose((await import("./commands/host.js")).hostCommand(terminal)),
    pause: async () => loose((await import("./commands/pool.js")).pauseCommand(terminal)),
    resume: async () => loose((await import("./commands/pool.js")).resumeCommand(terminal)),
  };
  return { meta, subCommands: commands };
}

/** The same for its usage text alone. */
export const rootUsage: CommandDef = {
  meta,
  args: { version: { type: "boolean", description: "Print the version" } },
  subCommands: Object.fromEntries(Object.entries(summaries).map(([name, description]) => [name, { meta: { name, description } }])),
};

/** What stands below it: exit codes and environment are the same for every command. */
export const rootEpilogue = `
Exit codes: 0 success, 1 failure (each error is a line with its code), 2 wrong usage.
Environment: FIRERUNNER_URL and FIRERUNNER_TOKEN (the admin API), LOG_LEVEL (debug, info, warn, error), NO_COLOR.`;

/** A command whose options are read by citty's definitions of them: their types end here. */
const loose = (command: unknown): CommandDef => command as CommandDef;
