import { readFile } from "node:fs/promises";
import { FireRunnerError } from "../../model/errors.js";

/** Who runs the commands of jobs, when that is not whoever runs the runner. */
export interface JobUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Finds a user of this machine by name; `FR-CONFIG` when there is none. Only root can run jobs as somebody else. */
export async function findJobUser(name: string, passwdFile = "/etc/passwd"): Promise<JobUser> {
  const lines = (await readFile(passwdFile, "utf8")).split("\n").map((line) => line.split(":"));
  const [, , uid = "", gid = "", , home = ""] = lines.find(([known]) => known === name) ?? [];
  if (!/^\d+$/.test(uid) || !/^\d+$/.test(gid)) {
    throw new FireRunnerError("FR-CONFIG", `--user: there is no user "${name}" in ${passwdFile}; jobs cannot be run as that`);
  }
  return { name, uid: Number(uid), gid: Number(gid), home };
}
