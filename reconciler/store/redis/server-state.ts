import { FireRunnerError } from "../../model/errors.js";

/** The sections of `INFO` that are looked at. */
export const infoSections = ["server", "replication", "persistence", "memory"] as const;

/**
 * Which process of Redis this is, by what `INFO` says. Refused with `FR-STORE` is a server that is not the master (another one
 * may become it: retryable), and one on which commits would not survive: no append-only file, or keys that are evicted.
 */
export function checkServer(info: string, where: string): string {
  const fields = new Map(info.split("\r\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
  const refuse = (why: string, retryable = false) => new FireRunnerError("FR-STORE", `Redis ${where} ${why}`, { retryable });
  const version = fields.get("redis_version") ?? "";
  if (Number.parseInt(version, 10) < 7) throw refuse(`is of version ${version}: version 7 or newer is needed`);
  if (fields.get("role") !== "master") throw refuse("is not the master", true);
  if (fields.get("loading") === "1") throw refuse("still reads its data from disk", true);
  if (fields.get("aof_enabled") !== "1") throw refuse("keeps no append-only file: set `appendonly yes` there");
  const policy = fields.get("maxmemory_policy");
  if (fields.get("maxmemory") !== "0" && policy !== "noeviction") {
    throw refuse(`forgets keys when its memory is full (maxmemory-policy ${policy}): set \`maxmemory-policy noeviction\` there`);
  }
  const run = fields.get("run_id");
  if (run === undefined) throw refuse("does not tell its run_id");
  return run;
}
