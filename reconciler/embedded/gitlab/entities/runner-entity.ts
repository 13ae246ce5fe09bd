import { type Runner, type RunnerManager, runnerStatus } from "../records/runner.js";
import { isoTime } from "./times.js";
import { userEntity } from "./user.js";

/**
 * A runner as REST lists it. Its `status` is `paused` for a paused runner that was heard, and `online` tells of the contact
 * alone. Uncertain: from which version on GitLab also tells its `job_execution_status`, which is left out.
 */
export function runnerEntity(runner: Runner, now: number, url: string) {
  const heard = runnerStatus(runner.contactedAt, runner.createdAt, now);
  const status = runner.paused && (heard === "online" || heard === "offline") ? "paused" : heard;
  return {
    id: runner.id,
    description: runner.description,
    ip_address: null,
    active: !runner.paused,
    paused: runner.paused,
    is_shared: runner.type === "instance_type",
    runner_type: runner.type,
    name: runner.managers[0] === undefined ? null : "gitlab-runner",
    online: heard === "online",
    created_by: userEntity(url, runner.creator),
    created_at: isoTime(runner.createdAt),
    status,
  };
}

/** A runner by itself. `projects` and `groups` are the ones that it was made for. */
export function runnerDetails(
  runner: Runner,
  scope: { readonly projects: readonly unknown[]; readonly groups: readonly unknown[] },
  now: number,
  url: string,
) {
  const manager = runner.managers[0];
  return {
    ...runnerEntity(runner, now, url),
    tag_list: runner.tags,
    run_untagged: runner.runUntagged,
    locked: runner.locked,
    maximum_timeout: runner.maximumTimeoutS ?? null,
    access_level: runner.accessLevel,
    version: manager?.version ?? null,
    revision: manager?.revision ?? null,
    platform: manager?.platform ?? null,
    architecture: manager?.architecture ?? null,
    contacted_at: isoTime(runner.contactedAt),
    maintenance_note: runner.maintenanceNote ?? null,
    ...scope,
  };
}

export const managerEntity = (manager: RunnerManager, now: number) => ({
  id: manager.id,
  system_id: manager.systemId,
  version: manager.version ?? null,
  revision: manager.revision ?? null,
  platform: manager.platform ?? null,
  architecture: manager.architecture ?? null,
  created_at: isoTime(manager.createdAt),
  contacted_at: isoTime(manager.contactedAt),
  ip_address: null,
  status: runnerStatus(manager.contactedAt, manager.createdAt, now),
});

/** The runner as webhooks tell it: with the runner's own tags, never the job's. */
export const hookRunner = (runner: Runner) => ({
  id: runner.id,
  description: runner.description,
  runner_type: runner.type,
  active: !runner.paused,
  is_shared: runner.type === "instance_type",
  tags: runner.tags,
});
