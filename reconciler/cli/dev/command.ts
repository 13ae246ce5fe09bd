import { openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineCommand } from "citty";
import { createLogger } from "../../telemetry/logger.js";
import type { Terminal } from "../terminal.js";
import { untilAsked } from "../until-asked.js";
import { devDirectory, stateDirArg, takeDevDirectory } from "./dev-state.js";
import { faultsArg, readHostFaults } from "./host-faults.js";
import { runPipeline } from "./run-pipeline.js";
import { tidinessLine } from "./summary.js";
import { awaitTidiness, isTidy } from "./tidiness.js";
import { createView } from "./view.js";
import { chooseDrivers, driverArg, thisMachine } from "./vm-drivers.js";
import { startDevWorld } from "./world.js";

const pipelineDeadlineMs = 15 * 60_000;
const tidinessDeadlineMs = 60_000;

/** The quickstart's project lies in the package, beside the source as beside what is built of it. */
function quickstartProject(): string {
  const up = import.meta.url.endsWith(".ts") ? "../../.." : "../../../..";
  return fileURLToPath(new URL(`${up}/examples/quickstart/greetings`, import.meta.url));
}

/** `firerunner dev`: the whole way of a job on this machine; its parts also run alone. */
export const devCommand = (terminal: Terminal) =>
  defineCommand({
    meta: {
      name: "firerunner dev",
      description: "Run a pipeline in a small GitLab, two embedded Flintlock hosts and FireRunner, all on this machine",
    },
    subCommands: {
      push: async () => (await import("./push.js")).pushCommand(terminal),
      host: async () => (await import("./host.js")).hostCommand(terminal),
      gitlab: async () => (await import("./gitlab.js")).gitlabCommand(terminal),
      runner: async () => (await import("./runner.js")).runnerCommand(terminal),
      vmm: async () => (await import("./vmm.js")).vmmCommand(terminal),
    },
    args: {
      once: { type: "boolean", default: false, description: "End after the pipeline: 0 when everything went as expected, otherwise 1" },
      project: { type: "string", valueHint: "path", description: "Run this folder's .gitlab-ci.yml instead of the quickstart's" },
      ...driverArg,
      ...faultsArg,
      ...stateDirArg,
    },
    async run({ args }) {
      const { print, style } = terminal;
      const faults = readHostFaults(args.faults);
      const directory = args["state-dir"] ?? devDirectory(terminal.env);
      const { drivers, why } = await chooseDrivers(args.driver, thisMachine(terminal.env));
      takeDevDirectory(directory);
      const logFile = join(directory, "service.log");
      const log = openSync(logFile, "w", 0o600);
      const logger = createLogger({ level: "info", env: terminal.env, destination: { write: (line) => writeSync(log, line) } });
      const { signal, asked } = untilAsked();
      const world = await startDevWorld({ directory, drivers, logger, faults });
      try {
        print(style("FireRunner's development world", "bold"));
        print(`  GitLab     ${world.state.gitlab.url}`);
        print(`  admin API  ${world.state.admin.url}`);
        print(`  log        ${logFile}`);
        print(`  driver     ${drivers.kind}: ${why}`);
        if (faults !== undefined) print(style(`  faults     ${faults.notice}`, "yellow"));
        print(`${style(drivers.notice, "yellow")}\n`);
        const succeeded = await runPipeline({
          folder: args.project ?? quickstartProject(),
          state: world.state,
          known: () => world.service.store.list("job").map(({ value }) => value),
          terminal,
          view: createView(terminal),
          deadlineMs: pipelineDeadlineMs,
          signal,
          ...(args.project === undefined ? { cancelWhenWaitingInVain: "gpu-benchmark" } : {}),
        });
        const left = await awaitTidiness(world.leftovers, tidinessDeadlineMs, signal);
        print(tidinessLine(left));
        if (args.once) {
          process.exitCode = succeeded && isTidy(left) ? 0 : 1;
          return;
        }
        print(`\n${style("It stays up.", "bold")} In another terminal: firerunner dev push PATH   (Ctrl-C ends it)`);
        await asked;
      } catch (caught) {
        if (!signal.aborted) throw caught;
        process.exitCode = 130;
      } finally {
        await world.stop();
      }
    },
  });
