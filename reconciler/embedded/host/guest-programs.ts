import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { FireRunnerError } from "../../model/errors.js";

/** The programs that a process VM runs, each as a command with its first arguments. */
export interface GuestPrograms {
  readonly agent: readonly string[];
  readonly http: readonly string[];
  readonly runner: readonly string[];
}

/** The guest agent, its HTTP command and the embedded runner of this installation, be it sources or a package. */
export function installedGuestPrograms(): GuestPrograms {
  const folder = agentFolder();
  return {
    agent: ["sh", fileURLToPath(new URL("firerunner-agent", folder))],
    http: [process.execPath, fileURLToPath(new URL("fr-http.mjs", folder))],
    runner: runnerCommand(),
  };
}

/** Beside the sources `reconciler/` lies in the package's root, once built in `dist/`. */
function agentFolder(): URL {
  const candidates = ["../../../images/agent/", "../../../../images/agent/"].map((path) => new URL(path, import.meta.url));
  const found = candidates.find((folder) => existsSync(new URL("firerunner-agent", folder)));
  if (found !== undefined) return found;
  const looked = candidates.map((folder) => fileURLToPath(folder)).join(" and ");
  throw new FireRunnerError("FR-CONFIG", `the guest agent is missing: looked for firerunner-agent in ${looked}; install the package again`);
}

function runnerCommand(): readonly string[] {
  if (extname(import.meta.url) === ".js") return [process.execPath, fileURLToPath(new URL("../runner/bin.js", import.meta.url))];
  // By its full path: the command is started in a directory that knows no packages.
  const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  return [process.execPath, "--import", loader, fileURLToPath(new URL("../runner/bin.ts", import.meta.url))];
}
