import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
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
  /** A file's text at a commit, or undefined when there is none. Throws `FR-INVALID` when it is larger than 1 MiB. */
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

  const setHead = (projectId: number, branch: string) => writeFile(join(folderOf(projectId), "HEAD"), `ref: refs/heads/${branch}\n`);

  return {
    root,
    nameOf,
    async create(projectId) {
      const folder = folderOf(projectId);
      for (const part of ["objects/info", "objects/pack", "refs/heads", "refs/tags"]) await mkdir(join(folder, part), { recursive: true });
      await writeFile(join(folder, "config"), config(maxPushBytes));
      await setHead(projectId, "main");
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

    file: async (projectId, sha, path) => (await read(projectId, ["cat-file", "blob", `${sha}:${path}`], maxFileBytes))?.toString("utf8"),
    setDefaultBranch: setHead,
  };
}
