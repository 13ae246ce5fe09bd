import type { CommandDef } from "citty";
import type { Terminal } from "./terminal.js";

/** `firerunner`: each command is loaded only when it is asked for. */
export function rootCommand(terminal: Terminal): CommandDef {
  return {
    meta: { name: "firerunner", description: "Every CI job in its own short-lived Firecracker microVM, on hosts that you own" },
    subCommands: {
      dev: async () => (await import("./dev/command.js")).devCommand,
      serve: async () => (await import("./commands/serve.js")).serveCommand(terminal),
      apply: async () => (await import("./commands/apply.js")).applyCommand(terminal),
      get: async () => (await import("./commands/get.js")).getCommand(terminal),
      describe: async () => (await import("./commands/describe.js")).describeCommand(terminal),
      logs: async () => (await import("./commands/logs.js")).logsCommand(terminal),
    },
  };
}
