import { type Role, roles } from "../records/members.js";
import type { Namespace, Project } from "../records/project.js";
import type { Runner } from "../records/runner.js";
import type { User } from "../records/user.js";
import type { World } from "../world.js";

type Known = Pick<World, "projects" | "members">;

/** A role, or 0 for none. The administrator is the owner of everything. */
export type Standing = Role | 0;

/** The highest role that the user has in the project, by itself or in one of the groups above. */
export function standingInProject({ projects, members }: Known, user: User, project: Project): Standing {
  if (user.admin) return roles.owner;
  const inGroups = projects.groupIdsOf(project).map((groupId) => members.role({ groupId }, user.id) ?? 0);
  return highest([members.role({ projectId: project.id }, user.id) ?? 0, ...inGroups]);
}

/** The highest role that the user has in the group or one above it. */
export function standingInGroup({ projects, members }: Known, user: User, group: Namespace): Standing {
  if (user.admin) return roles.owner;
  return highest(projects.lineageOf(group).map((groupId) => members.role({ groupId }, user.id) ?? 0));
}

/** Whether the user may make projects in the namespace: Developers in their group, the administrator everywhere. */
export const makesProjects = (world: Known, user: User, namespace: Namespace): boolean =>
  standingInGroup(world, user, namespace) >= roles.developer;

/** Whether the project exists for the user: others are told that there is none. */
export const seesProject = (world: Known, user: User, project: Project): boolean =>
  project.visibility === "public" || (project.visibility === "internal" && !user.bot) || standingInProject(world, user, project) > 0;

/** Whether the group exists for the user. All groups here are private, but members of what is below them see them. */
export const seesGroup = (world: Known, user: User, group: Namespace): boolean =>
  standingInGroup(world, user, group) > 0 ||
  world.projects
    .all()
    .some((project) => world.projects.groupIdsOf(project).includes(group.id) && standingInProject(world, user, project) > 0);

/** How the user stands to what the runner was made for. Nobody but administrators has a part in instance runners. */
export function standingToRunner(world: Known, user: User, { scope }: Pick<Runner, "scope">): Standing {
  if (user.admin) return roles.owner;
  if ("projectId" in scope) {
    const project = world.projects.find(String(scope.projectId));
    return project === undefined ? 0 : standingInProject(world, user, project);
  }
  const group = "groupId" in scope ? world.projects.findNamespace(String(scope.groupId)) : undefined;
  return group === undefined ? 0 : standingInGroup(world, user, group);
}

/** Whether the user may pause, change and delete the runner: Maintainers those of their project, Owners those of their group. */
export function managesRunner(world: Known, user: User, runner: Runner): boolean {
  return standingToRunner(world, user, runner) >= ("projectId" in runner.scope ? roles.maintainer : roles.owner);
}

/** Whether the user may look at the runner. Instance runners are shown to everybody who is signed in. */
export const seesRunner = (world: Known, user: User, runner: Runner): boolean =>
  "instance" in runner.scope || standingToRunner(world, user, runner) >= roles.maintainer;

const highest = (standings: readonly Standing[]): Standing => standings.toSorted((a, b) => b - a)[0] ?? 0;
