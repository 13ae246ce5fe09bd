import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FireRunnerError } from "../../../model/errors.js";
import type { Commit } from "../engine/run.js";
import type { GitProcesses } from "./processes.js";

/** The bare repositories of the projects, one folder per project. */
export interface Repositories {
  /** The folder that holds all repositories, as git's http-backend wants it. */
  readonly root: string;
  /** The folder of a project within `root`. */
  nameOf(projectId: number): string;
  create(projectId: number): Promise<void>;
  remove(projectId: number): Promise<void>;
  /** Branches and tags by their full name, with the commit that each leads to. */
  refs(projectId: number): Promise<ReadonlyMap<string, string>>;
  commit(projectId: number, sha: string): Promise<Commit | undefined>;
  /** A file's text at a commit, or undefined when there is none. Throws `FR-INVALID` when it is too large. */
  file(projectId: number, sha: string, path: string): Promise<string | undefined>;
  setDefaultBranch(projectId: number, branch: string): Promise<void>;
}

/** What points to nothing. */
export const noCommit = "0".repeat(40);

const maxFileBytes = 1_048_576;
const maxRefsBytes = 4_194_304;

/** Pushes are allowed (who may is checked before), no housekeeping runs behind our back, and any commit may be fetched by its id. */
const config = (maxPushBytes: number) => `[core]
\trepositoryformatversion = 0
\tbare = true
[http]
\treceivepack = true
[receive]
\tautogc = false
\tmaxInputSize = ${maxPushBytes}
[gc]
\tauto = 0
[maintenance]
\tauto = false
[uploadpack]
\tallowAnySHA1InWant = true
`;

export function createRepositories(git: GitProcesses, root: string, maxPushBytes: number): Repositories {
  const nameOf = (projectId: number) => `${projectId}.git`;
  const folderOf = (projectId: number) => join(root, nameOf(projectId));
  const read = (projectId: number, args: readonly string[], maxBytes?: number) =>
    git.read([`--git-dir=${folderOf(projectId)}`, ...args], maxBytes === undefined ? {} : { maxBytes });

  return {
    root,
    nameOf,
    async create(projectId) {
      await mkdir(root, { recursive: true });
      const made = await git.read(["init", "--quiet", "--bare", "--template=", "--initial-branch=main", folderOf(projectId)]);
      if (made === undefined) throw new FireRunnerError("FR-INTERNAL", `git init of ${folderOf(projectId)} failed`);
      await writeFile(join(folderOf(projectId), "config"), config(maxPushBytes));
    },
    remove: (projectId) => rm(folderOf(projectId), { recursive: true, force: true }),

    async refs(projectId) {
      const format = "%(refname) %(objectname) %(*objectname)";
      const output = await read(projectId, ["for-each-ref", `--format=${format}`, "refs/heads", "refs/tags"], maxRefsBytes);
      const lines = (output?.toString("utf8") ?? "").split("\n").filter((line) => line !== "");
      return new Map(
        lines.map((line) => {
          const [name = "", object = "", tagged = ""] = line.split(" ");
          return [name, tagged === "" ? object : tagged] as const;
        }),
      );
    },

    async commit(projectId, sha) {
      const format = ["%H", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B"].join("%x00");
      const output = await read(projectId, ["log", "-1", "--no-color", `--format=${format}`, sha]);
      if (output === undefined) return undefined;
      const [hash = "", parents = "", authorName = "", authorEmail = "", authoredAt = "", ...rest] = output.toString("utf8").split("\0");
      const [committerName = "", committerEmail = "", committedAt = "", message = ""] = rest;
      return {
        sha: hash,
        parents: parents.split(" ").filter((parent) => parent !== ""),
        message: message.replace(/\n+$/, "\n"),
        authorName,
        authorEmail,
        authoredAt,
        committerName,
        committerEmail,
        committedAt,
      };
    },

    async file(projectId, sha, path) {
      const object = `${sha}:${path}`;
      const size = await read(projectId, ["cat-file", "-s", object]);
      if (size === undefined) return undefined;
      if (Number(size.toString("utf8")) > maxFileBytes) {
        throw new FireRunnerError("FR-INVALID", `${path}: is larger than ${maxFileBytes} bytes`);
      }
      return (await read(projectId, ["cat-file", "blob", object]))?.toString("utf8");
    },

    async setDefaultBranch(projectId, branch) {
      await read(projectId, ["symbolic-ref", "HEAD", `refs/heads/${branch}`]);
    },
  };
}
