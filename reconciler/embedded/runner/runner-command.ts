import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { FireRunnerError } from "../../model/errors.js";
import { findJobUser } from "./job-user.js";
import { runRunner } from "./run-runner.js";

/** What the runner is started with. */
export interface RunnerArguments {
  readonly url: string;
  readonly tokenFile: string;
  readonly buildsDir: string;
  readonly maxBuilds: number;
  readonly waitTimeoutS: number;
  readonly systemId: string | undefined;
  readonly user: string | undefined;
}

/** How the runner is started, for people. */
const runnerUsage = `usage: --url URL --token-file FILE [--builds-dir DIR] [--max-builds N] [--wait-timeout SECONDS] [--system-id ID]

  --url URL               the GitLab to ask for jobs
  --token-file FILE       holds the runner's token; may be removed once "Starting runner for" was written
  --builds-dir DIR        where projects are cloned (builds)
  --max-builds N          jobs to run before the runner ends (0: without end)
  --wait-timeout SECONDS  ends the runner after so long without a job (0: without end)
  --user NAME             runs the commands of jobs as this user, away from the runner itself (the runner's own; needs root)
  --system-id ID          the machine's name for GitLab (.runner_system_id beside the token, else a random one)`;

/** Reads the runner's arguments; `FR-INVALID` names the one that is wrong and what is accepted. */
export function parseRunnerArguments(argv: readonly string[]): RunnerArguments {
  const { url, "token-file": tokenFile, ...rest } = readOptions(argv);
  if (url === undefined || !URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw invalid("--url", url, "must be the http or https address of a GitLab");
  }
  if (tokenFile === undefined || tokenFile === "")
    throw invalid("--token-file", tokenFile, "must be the path of a file with the runner's token");
  const systemId = rest["system-id"];
  if (systemId !== undefined && !/^[\w-]{1,64}$/.test(systemId)) {
    throw invalid("--system-id", systemId, "must be 1 to 64 letters, digits, _ or -");
  }
  return {
    url,
    tokenFile,
    buildsDir: rest["builds-dir"] || "builds",
    maxBuilds: count("--max-builds", rest["max-builds"]),
    waitTimeoutS: count("--wait-timeout", rest["wait-timeout"]),
    systemId,
    user: rest.user,
  };
}

/** What the runner's process lends it. */
export interface RunnerProcess {
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  readonly once: (signal: "SIGINT" | "SIGQUIT" | "SIGTERM", listener: () => void) => unknown;
}

/**
 * The whole command: reads the token, serves jobs until the end, hears SIGQUIT (finish the job) and SIGTERM or SIGINT
 * (fail the job and say so). Resolves to the exit code: 0 whatever came of the jobs, 1 when GitLab could not be reached
 * for long. Throws `FR-INVALID` or `FR-CONFIG` when it cannot begin.
 */
export async function runRunnerCommand(argv: readonly string[], { env, say, once }: RunnerProcess): Promise<number> {
  const given = parseRunnerArguments(argv);
  const token = (await read(given.tokenFile)).trim();
  if (token === "") throw new FireRunnerError("FR-CONFIG", `the token file ${given.tokenFile} is empty`);
  const quit = new AbortController();
  const terminate = new AbortController();
  once("SIGQUIT", () => quit.abort());
  for (const signal of ["SIGINT", "SIGTERM"] as const) once(signal, () => terminate.abort());
  // The clock's timers keep no process alive, and the runner mostly waits.
  const alive = setInterval(() => {}, 60_000);
  try {
    const systemId = given.systemId ?? (await keptSystemId(given.tokenFile)) ?? randomSystemId();
    const jobUser = given.user === undefined ? undefined : await findJobUser(given.user);
    const stops = { quit: quit.signal, terminate: terminate.signal };
    const end = await runRunner({ ...given, systemId, token, say, env, jobUser, ...stops });
    return end.reason === "unreachable" ? 1 : 0;
  } finally {
    clearInterval(alive);
  }
}

function readOptions(argv: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: {
        url: text,
        "token-file": text,
        "builds-dir": text,
        "max-builds": text,
        "wait-timeout": text,
        "system-id": text,
        user: text,
      },
    }).values;
  } catch (caught) {
    throw new FireRunnerError("FR-INVALID", `${caught instanceof Error ? caught.message : String(caught)}\n${runnerUsage}`, {
      cause: caught,
    });
  }
}

function count(option: string, given: string | undefined): number {
  if (given === undefined) return 0;
  if (!/^\d{1,9}$/.test(given)) throw invalid(option, given, "must be a whole number, 0 or above");
  return Number(given);
}

function invalid(option: string, given: string | undefined, accepted: string): FireRunnerError {
  const found = given === undefined ? "is missing" : `${JSON.stringify(given)} is refused`;
  return new FireRunnerError("FR-INVALID", `${option}: ${found}: ${accepted}\n${runnerUsage}`);
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", `reading the runner's token from ${file}`);
  }
}

/** The id that gitlab-runner would use, which stands beside its config. */
async function keptSystemId(tokenFile: string): Promise<string | undefined> {
  try {
    const kept = (await readFile(join(dirname(tokenFile), ".runner_system_id"), "utf8")).trim();
    return /^[rs]_\w{12}$/.test(kept) ? kept : undefined;
  } catch {
    return undefined;
  }
}

function randomSystemId(): string {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  return `r_${Array.from({ length: 12 }, () => letters[randomInt(letters.length)]).join("")}`;
}
