import type { Scope } from "../model/connection.js";
import { type Job, jobKey } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import type { Draft } from "./draft.js";

/** Why a runner may have got no job of those that wait for its class: what can be told for sure, or else what is likely. */
export function likelyCauses(draft: Draft, vm: Microvm, job: Job): string {
  const identity = draft.identities.get(vm.name);
  const key = jobKey(job);
  const lacking = job.tags.filter((tag) => identity?.tags.includes(tag) === false);
  if (lacking.length > 0) return `job ${key} waits, and the runner was made before its pool had the tags ${lacking.join(", ")}`;
  const done = draft.snapshot.guestReports.get(vm.name)?.done;
  const scope = draft.connections.get(vm.connection)?.spec.scope;
  const causes = [
    ...(done !== undefined && done.exitCode !== 0
      ? [`its runner failed (exit code ${done.exitCode}), or the forge refused its token`]
      : []),
    ...(scope === undefined ? [] : causesOfScope(scope, job)),
    ...(identity?.protectedOnly === true ? [`${job.ref === undefined ? "its ref" : `the ref "${job.ref}"`} is protected no more`] : []),
    "somebody changed the runner's tags in the forge, or paused it",
  ];
  return `job ${key} waits; perhaps ${causes.join(", or ")}`;
}

function causesOfScope(scope: Scope, { projectId }: Job): readonly string[] {
  if ("groupId" in scope) return [`project ${projectId} lies outside group ${scope.groupId}, or has group runners turned off`];
  return "instance" in scope ? [`project ${projectId} has instance runners turned off`] : [];
}
