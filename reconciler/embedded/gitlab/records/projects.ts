import type { Clock } from "../../../model/clock.js";
import { type Namespace, type Project, type ProjectVariable, pathOf, type Visibility } from "./project.js";

/** Groups, projects and their variables. */
export interface Projects {
  /** All projects, in the order of their ids. */
  all(): readonly Project[];
  /** By id (`7`) or path (`group/project`). */
  find(idOrPath: string): Project | undefined;
  add(made: {
    readonly name: string;
    readonly path: string;
    readonly namespace: Namespace;
    readonly description: string;
    readonly visibility: Visibility;
  }): Project;
  setDefaultBranch(id: number, branch: string): void;
  remove(id: number): void;

  namespaces(): readonly Namespace[];
  findNamespace(idOrPath: string): Namespace | undefined;
  addGroup(made: { readonly name: string; readonly path: string; readonly parentId: number | undefined }): Namespace;
  /** The ids of the groups that the project is in, innermost first. */
  groupIdsOf(project: Project): readonly number[];
  /** The id of the group and of the groups above it, innermost first; none of a user's namespace. */
  lineageOf(namespace: Namespace): readonly number[];

  variables(projectId: number): readonly ProjectVariable[];
  /** Adds the variable, or replaces the one of the same key. */
  putVariable(projectId: number, variable: ProjectVariable): void;
  removeVariable(projectId: number, key: string): void;
}

/** Names of groups and projects that can stand in a URL and in a path on disk. */
export const pathPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/;

/** Whether a group or project may be called so: names that end in `.git` or `.` would lead elsewhere. */
export const isPath = (path: string): boolean => pathPattern.test(path) && !/(\.git|\.atom|\.)$/.test(path);

/** Holds the administrator's namespace (`root`) from the start. */
export function createProjects(clock: Pick<Clock, "now">): Projects {
  const root: Namespace = { id: 1, kind: "user", name: "Administrator", path: "root", fullPath: "root", parentId: undefined };
  const namespaces = new Map<number, Namespace>([[root.id, root]]);
  const projects = new Map<number, Project>();
  const variables = new Map<number, ReadonlyMap<string, ProjectVariable>>();
  let lastNamespaceId = root.id;
  let lastProjectId = 0;

  function lineageOf(namespace: Namespace): readonly number[] {
    const ids: number[] = [];
    for (let at: Namespace | undefined = namespace; at?.kind === "group"; at = namespaces.get(at.parentId ?? 0)) ids.push(at.id);
    return ids;
  }

  return {
    all: () => [...projects.values()],
    find(idOrPath) {
      if (/^\d+$/.test(idOrPath)) return projects.get(Number(idOrPath));
      const wanted = idOrPath.toLowerCase();
      return [...projects.values()].find((project) => pathOf(project).toLowerCase() === wanted);
    },
    add(made) {
      lastProjectId += 1;
      const project: Project = { ...made, id: lastProjectId, defaultBranch: undefined, createdAt: clock.now() };
      projects.set(project.id, project);
      return project;
    },
    setDefaultBranch(id, branch) {
      const project = projects.get(id);
      if (project !== undefined) projects.set(id, { ...project, defaultBranch: branch });
    },
    remove(id) {
      projects.delete(id);
      variables.delete(id);
    },

    namespaces: () => [...namespaces.values()],
    findNamespace(idOrPath) {
      if (/^\d+$/.test(idOrPath)) return namespaces.get(Number(idOrPath));
      const wanted = idOrPath.toLowerCase();
      return [...namespaces.values()].find((namespace) => namespace.fullPath.toLowerCase() === wanted);
    },
    addGroup({ name, path, parentId }) {
      lastNamespaceId += 1;
      const parent = parentId === undefined ? undefined : namespaces.get(parentId);
      const fullPath = parent === undefined ? path : `${parent.fullPath}/${path}`;
      const group: Namespace = { id: lastNamespaceId, kind: "group", name, path, fullPath, parentId };
      namespaces.set(group.id, group);
      return group;
    },
    groupIdsOf: (project) => lineageOf(project.namespace),
    lineageOf,

    variables: (projectId) => [...(variables.get(projectId)?.values() ?? [])],
    putVariable: (projectId, variable) =>
      void variables.set(projectId, new Map([...(variables.get(projectId) ?? []), [variable.key, variable]])),
    removeVariable: (projectId, key) =>
      void variables.set(projectId, new Map([...(variables.get(projectId) ?? [])].filter(([other]) => other !== key))),
  };
}
