import { defineCommand } from "citty";
import { keepCompiled, writeCompiled } from "../../compile-cache.js";
import { FireRunnerError } from "../../model/errors.js";
import { type Service, serviceSchema } from "../../model/service.js";
import { openStateDir } from "../../state-dir.js";
import { compileCacheDirectory } from "../../state-files.js";
import { checkYaml, readYamlFile } from "../../yaml-file.js";
import type { Terminal } from "../terminal.js";
import { untilAsked } from "../until-asked.js";

const defaultFile = "firerunner.yaml";

/** `firerunner serve`: the reconciler service, until SIGTERM or SIGINT. */
export const serveCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner serve", description: "Run the reconciler service until SIGTERM or SIGINT (a second one ends it at once)" },
    args: { config: { type: "string", alias: "c", default: defaultFile, valueHint: "path", description: "The service file" } },
    async run({ args }) {
      const service = readServiceFile(args.config);
      keepCompiled(openStateDir(service.stateDir).path(compileCacheDirectory));
      const { startService } = await import("../../main.js");
      const { createLogger } = await import("../../telemetry/logger.js");
      const logger = createLogger({ level: service.telemetry.logLevel, env: terminal.env });
      const { asked } = untilAsked();
      // What nobody caught leaves the process in a state that nobody knows: the next start begins from the store.
      process.on("uncaughtException", (error) => {
        logger.error({ error }, `a fault that nobody handled ends the process: ${error.message}`);
        process.exit(1);
      });
      const running = await startService({ service, logger, env: terminal.env });
      writeCompiled();
      await asked;
      logger.info({}, "stopping");
      await running.stop();
      logger.info({}, "stopped");
    },
  });

/** The service file, checked; `FR-CONFIG` with one line per mistake. */
export function readServiceFile(path: string): Service {
  try {
    return checkYaml(serviceSchema, readYamlFile(path, "FR-CONFIG"), "FR-CONFIG");
  } catch (caught) {
    if (!(caught instanceof FireRunnerError) || path !== defaultFile || !caught.message.startsWith("there is no file")) throw caught;
    throw new FireRunnerError(
      "FR-CONFIG",
      `there is no file ${path} here: write one (\`owner: NAME\` is enough), or name one with --config`,
    );
  }
}
