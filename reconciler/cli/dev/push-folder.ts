import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { promisify } from "node:util";
import { FireRunnerError } from "../../model/errors.js";
import type { DevState } from "./dev-state.js";
import type { GitLabClient, Pipeline, Project } from "./gitlab-client.js";

const run = promisify(execFile);
const gitDeadlineMs = 60_000;
const pipelineDeadlineMs = 60_000;
const lookEveryMs = 50;

export interface Pushed {
  readonly project: Project;
  readonly pipeline: Pipeline;
}

/**
 * Pushes a folder as it is now, uncommitted files included and ignored ones not, as branch `main` of the project
 * `root/<name of the folder>`, and waits for its pipeline. The folder's own repository, if it is one, is not touched.
 */
export async function pushFolder(folder: string, gitlab: GitLabClient, state: Omit<DevState, "hosts">): Promise<Pushed> {
  const root = resolve(folder);
  if (!existsSync(join(root, ".gitlab-ci.yml"))) {
    throw new FireRunnerError("FR-INVALID", `PATH: "${folder}" is refused: it must be a folder with a .gitlab-ci.yml`);
  }
  const project = await gitlab.ensureProject(`root/${projectName(root)}`);
  await gitlab.ensureHook(project.id, state.webhook.url, state.webhook.secret);
  const sha = await pushWorkTree(root, `${state.gitlab.url}/${project.path_with_namespace}.git`, state.gitlab.token);
  return { project, pipeline: await awaitPipeline(gitlab, project.id, sha) };
}

/** A folder's name as GitLab accepts it in a path. */
export function projectName(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, "-")
    .replace(/^[-_]+|[-_]+$/g, "");
  return name === "" ? "project" : name.slice(0, 40);
}

async function pushWorkTree(root: string, url: string, token: string): Promise<string> {
  const gitDir = await mkdtemp(join(tmpdir(), "firerunner-push-"));
  // Nothing of the caller's git configuration matters, and the token stands in no argument that others could read.
  const env = {
    PATH: process.env.PATH ?? "",
    GIT_DIR: gitDir,
    GIT_WORK_TREE: root,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_NAME: "FireRunner",
    GIT_AUTHOR_EMAIL: "dev@firerunner.invalid",
    GIT_COMMITTER_NAME: "FireRunner",
    GIT_COMMITTER_EMAIL: "dev@firerunner.invalid",
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "http.extraHeader",
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(`oauth2:${token}`).toString("base64")}`,
  };
  const git = async (...args: string[]): Promise<string> => {
    try {
      return (await run("git", args, { cwd: root, env, timeout: gitDeadlineMs, maxBuffer: 16 * 1_048_576 })).stdout.trim();
    } catch (caught) {
      const said = caught instanceof Error && "stderr" in caught ? String(caught.stderr).trim() : "";
      throw new FireRunnerError("FR-INVALID", `git ${args[0]} of ${root} failed${said === "" ? "" : `: ${said}`}`, { cause: caught });
    }
  };
  try {
    await git("init", "--quiet", "--initial-branch=main");
    await git("add", "--all");
    await git("commit", "--quiet", "--allow-empty", "--no-verify", "--message", "Pushed from the working folder");
    const sha = await git("rev-parse", "HEAD");
    await git("push", "--quiet", "--force", url, "HEAD:refs/heads/main");
    return sha;
  } finally {
    await rm(gitDir, { recursive: true, force: true });
  }
}

async function awaitPipeline(gitlab: GitLabClient, projectId: number, sha: string): Promise<Pipeline> {
  const limit = Date.now() + pipelineDeadlineMs;
  while (Date.now() < limit) {
    const found = await gitlab.pipelineOf(projectId, sha);
    if (found?.yaml_errors) throw new FireRunnerError("FR-INVALID", found.yaml_errors);
    if (found !== undefined) return found;
    await new Promise((wake) => setTimeout(wake, lookEveryMs));
  }
  throw new FireRunnerError("FR-FORGE-REJECTED", `no pipeline of commit ${sha} appeared within ${pipelineDeadlineMs / 1000} s`);
}
