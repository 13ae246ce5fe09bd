import { isoTime } from "../entities/times.js";
import { type Project, pathOf } from "../records/project.js";
import { administrator } from "../records/user.js";
import type { World } from "../world.js";

/**
 * Tells the system hooks that a project was made or removed. Jobs and pipelines are never told to system hooks.
 * Uncertain: only the fields that tell which project it is are as GitLab's.
 */
export function tellSystemHooks(
  { hooks, deliveries, clock }: Pick<World, "hooks" | "deliveries" | "clock">,
  event: "project_create" | "project_destroy",
  project: Project,
): void {
  const at = isoTime(clock.now());
  const body = JSON.stringify({
    event_name: event,
    created_at: isoTime(project.createdAt),
    updated_at: at,
    name: project.name,
    path: project.path,
    path_with_namespace: pathOf(project),
    project_id: project.id,
    project_namespace_id: project.namespace.id,
    owner_name: administrator.name,
    owner_email: administrator.email,
    project_visibility: project.visibility,
  });
  for (const hook of hooks.of({ instance: true })) deliveries.send(hook, "System Hook", body);
}
