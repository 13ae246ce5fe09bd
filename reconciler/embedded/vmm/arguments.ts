import { parseArgs } from "node:util";
import { FireRunnerError } from "../../model/errors.js";

/** What a microVM monitor is started with. */
export interface VmmArguments {
  /** The microVM's id, for whoever reads its log. */
  readonly id: string;
  readonly configFile: string;
  /** What the metadata service answers; without it there is none. */
  readonly metadataFile: string | undefined;
}

const usage = `usage: --id ID --no-api --config-file FILE [--metadata FILE] [--boot-timer]

  --id ID             the microVM's id
  --config-file FILE  its configuration, as Firecracker reads it
  --metadata FILE     what the metadata service answers, as JSON
  --no-api            must be given: there is no API, the configuration is all
  --boot-timer        accepted; this monitor measures nothing`;

/**
 * Reads a command line of Firecracker's, as flintlockd v0.11 writes it. Throws `FR-INVALID` for what this monitor cannot do,
 * so that nobody believes that it did.
 */
export function parseVmmArguments(argv: readonly string[]): VmmArguments {
  const { id, "config-file": configFile, metadata: metadataFile, "no-api": noApi } = readOptions(argv);
  if (id === undefined || !/^[0-9A-Za-z-]{1,64}$/.test(id)) throw invalid("--id", id, "must be 1 to 64 letters, digits or hyphens");
  if (!configFile) throw invalid("--config-file", configFile, "must be the path of a configuration file");
  if (noApi !== true) throw invalid("--no-api", undefined, "must be given, because this monitor has no API");
  return { id, configFile, metadataFile };
}

function readOptions(argv: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: { id: text, "config-file": text, metadata: text, "no-api": flag, "boot-timer": flag },
    }).values;
  } catch (caught) {
    const why = caught instanceof Error ? caught.message : String(caught);
    throw new FireRunnerError("FR-INVALID", `${why}\n${usage}`, { cause: caught });
  }
}

function invalid(option: string, given: string | undefined, accepted: string): FireRunnerError {
  const found = given === undefined ? "is missing" : `${JSON.stringify(given)} is refused`;
  return new FireRunnerError("FR-INVALID", `${option}: ${found}: ${accepted}\n${usage}`);
}
