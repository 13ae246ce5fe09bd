import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FireRunnerError } from "../model/errors.js";
import { serviceSchema } from "../model/service.js";
import { adminTokenFile, adminUrlFile } from "../state-files.js";
import { readYamlFile } from "../yaml-file.js";

/** Where the admin API is, and its bearer token. */
export interface ClientSettings {
  readonly url: string;
  readonly token: string;
}

/** The options by which every client command is told. */
export const clientArgs = {
  url: { type: "string", valueHint: "url", description: "The admin API (default: FIRERUNNER_URL, or the service of this directory)" },
  "token-file": {
    type: "string",
    valueHint: "path",
    description: "A file with the admin token (default: FIRERUNNER_TOKEN, or the service's own)",
  },
} as const;

interface Given {
  readonly url?: string | undefined;
  readonly "token-file"?: string | undefined;
}

/**
 * Options go before the environment, and that before what a service on this machine has left: the state directory that
 * `firerunner.yaml` names (or the default one), then a development world that is up.
 */
export async function clientSettings(given: Given, env: Readonly<Record<string, string | undefined>>): Promise<ClientSettings> {
  const url = given.url ?? (env.FIRERUNNER_URL || undefined);
  const token = given["token-file"] === undefined ? env.FIRERUNNER_TOKEN || undefined : readToken(given["token-file"]);
  if (url !== undefined && token !== undefined) return { url: checkUrl(url), token };
  const local = fromStateDir(localStateDir()) ?? (await fromDevWorld(env));
  const settings = { url: url ?? local?.url, token: token ?? local?.token };
  if (settings.url === undefined || settings.token === undefined) {
    throw new FireRunnerError(
      "FR-CONFIG",
      "no service is known here: give --url and --token-file, or set FIRERUNNER_URL and FIRERUNNER_TOKEN, or run this where `firerunner serve` runs",
    );
  }
  // A token is shown only to the service that it belongs to.
  if (url !== undefined && token === undefined && url.replace(/\/+$/, "") !== local?.url) {
    throw new FireRunnerError("FR-CONFIG", `no token is known for ${url}: give --token-file or set FIRERUNNER_TOKEN`);
  }
  return { url: checkUrl(settings.url), token: settings.token };
}

function localStateDir(): string {
  const fallback = serviceSchema.parse({ owner: "local" }).stateDir;
  if (!existsSync("firerunner.yaml")) return fallback;
  const { value } = readYamlFile("firerunner.yaml", "FR-CONFIG");
  const named = typeof value === "object" && value !== null && "stateDir" in value ? value.stateDir : undefined;
  return typeof named === "string" ? named : fallback;
}

function fromStateDir(directory: string): ClientSettings | undefined {
  const url = join(directory, adminUrlFile);
  const token = join(directory, adminTokenFile);
  return existsSync(url) && existsSync(token) ? { url: readFileSync(url, "utf8").trim(), token: readToken(token) } : undefined;
}

async function fromDevWorld(env: Readonly<Record<string, string | undefined>>): Promise<ClientSettings | undefined> {
  const { devDirectory, findDevState } = await import("./dev/dev-state.js");
  try {
    return findDevState(devDirectory(env)).admin;
  } catch (caught) {
    if (caught instanceof FireRunnerError && caught.code === "FR-CONFIG") return undefined;
    throw caught;
  }
}

function readToken(path: string): string {
  try {
    const token = readFileSync(path, "utf8").trim();
    if (token !== "") return token;
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", `reading the admin token from ${path}`);
  }
  throw new FireRunnerError("FR-CONFIG", `the file ${path} is empty: it must hold the admin token`);
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new FireRunnerError("FR-CONFIG", `the admin API's URL "${text}" is refused: must be an http or https URL`);
  }
  return text.replace(/\/+$/, "");
}
