import { constants } from "node:fs";
import { access, chown, mkdir, rm, writeFile } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { FireRunnerError } from "../../model/errors.js";
import type { JobUser } from "./job-user.js";
import type { JobVariable } from "./received-job.js";

/** The directories of a job. */
export interface Workspace {
  readonly buildsDir: string;
  /** Where the project's files are and the scripts run. */
  readonly projectDir: string;
  /** The runner's own files of the job, beside it: scripts and file variables. */
  readonly filesDir: string;
}

/** Names the directories of a job after its project, as GitLab's runner does. */
export function nameWorkspace(buildsDir: string, repoUrl: string): Workspace {
  const root = resolve(buildsDir);
  const path = URL.canParse(repoUrl) ? new URL(repoUrl).pathname : "";
  const parts = path
    .replace(/\.git\/?$/, "")
    .split("/")
    .filter((part) => /^[\w.-]+$/.test(part) && !/^\.+$/.test(part));
  const projectDir = join(root, "0", ...(parts.length > 0 ? parts : ["project"]));
  return { buildsDir: root, projectDir, filesDir: `${projectDir}.tmp` };
}

/**
 * Makes the directories; those of an earlier job are emptied unless `keepProject`. With a user of its own the job owns its
 * project alone: where this process goes on writing, nothing can be put in its way.
 */
export async function openWorkspace({ projectDir, filesDir }: Workspace, user: JobUser | undefined, keepProject: boolean): Promise<void> {
  await rm(filesDir, { recursive: true, force: true });
  if (!keepProject) await rm(projectDir, { recursive: true, force: true });
  await mkdir(projectDir, { recursive: true });
  // A job finds its own files there, and cannot make others.
  await mkdir(filesDir, { recursive: true, mode: user === undefined ? 0o700 : 0o711 });
  if (user !== undefined) await chown(projectDir, user.uid, user.gid);
}

/** Writes a file that the job, and nobody else, may read. */
export async function writeFor(user: JobUser | undefined, file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
  if (user !== undefined) await chown(file, user.uid, user.gid);
}

/** Removes what only this job may know; the project's files stay. */
export async function closeWorkspace({ filesDir }: Workspace): Promise<void> {
  await rm(filesDir, { recursive: true, force: true });
}

/** Writes the file variables and gives the environment that the variables make. */
export async function writeVariables(
  variables: readonly JobVariable[],
  { filesDir }: Workspace,
  user: JobUser | undefined,
): Promise<Readonly<Record<string, string>>> {
  const env: Record<string, string> = {};
  for (const { key, value, file } of variables) {
    env[key] = file ? join(filesDir, key) : value;
    if (file) await writeFor(user, join(filesDir, key), value);
  }
  return env;
}

/** The path of a program on the runner's own PATH; `FR-CONFIG` when there is none. */
export async function findProgram(name: string, path: string): Promise<string> {
  for (const folder of path.split(delimiter).filter((each) => each !== "")) {
    const candidate = join(folder, name);
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here.
    }
  }
  throw new FireRunnerError("FR-CONFIG", `${name} is not on PATH (${path}); jobs need it`);
}
