import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** A Pulumi that can run Node programs with dynamic resources. */
export interface FoundPulumi {
  readonly kind: "found";
  readonly version: string;
  /** What goes before `PATH`: the folder with the command, its language host for Node.js, and the launcher of dynamic providers. */
  readonly folder: string;
}

/** Why there is none, and how to get it: one line. */
export interface MissingPulumi {
  readonly kind: "missing";
  readonly reason: string;
}

const root = fileURLToPath(new URL("..", import.meta.url));

/** The version that `npm run setup` builds, from the modules in `scripts/pulumi-cli`. */
export const builtVersion = "3.259.0";

/** Where it is built: beside nothing else, and complete or absent. */
export const builtFolder = join(root, ".cache", "pulumi", builtVersion);

/** Older ones lack what the resources need: inputs that are read back. */
const oldestMinor = 216;
const command = "pulumi";
const languageHost = "pulumi-language-nodejs";
/** Starts dynamic providers; it comes with the SDK. */
const launcher = "pulumi-resource-pulumi-nodejs";
export const launcherSource = join(root, "node_modules", "@pulumi", "pulumi", launcher);

/** An installed Pulumi when there is a recent one with what it needs for Node.js, else the one that `npm run setup` built. */
export function findPulumi(): FoundPulumi | MissingPulumi {
  const installed = installedPulumi();
  if (installed !== undefined) return installed;
  if ([command, languageHost, launcher].every((name) => existsSync(join(builtFolder, name)))) {
    return { kind: "found", version: builtVersion, folder: builtFolder };
  }
  return {
    kind: "missing",
    reason:
      "the Pulumi CLI is missing: `npm run setup` builds it (with Go, about five minutes), or install it from https://www.pulumi.com/docs/install/",
  };
}

function installedPulumi(): FoundPulumi | undefined {
  const path = onPath(command);
  if (path === undefined) return undefined;
  const folder = dirname(path);
  if ([languageHost, launcher].some((name) => !existsSync(join(folder, name)) && onPath(name) === undefined)) return undefined;
  const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
  const version = /^v?(3\.(\d+)\.\d+)/.exec(spawnSync(path, ["version"], { encoding: "utf8", env, timeout: 60_000 }).stdout ?? "");
  if (version?.[1] === undefined || Number(version[2]) < oldestMinor) return undefined;
  return { kind: "found", version: version[1], folder };
}

function onPath(name: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
