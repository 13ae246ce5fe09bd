/** A group, or the administrator's own namespace. */
export interface Namespace {
  readonly id: number;
  readonly kind: "group" | "user";
  readonly name: string;
  readonly path: string;
  readonly fullPath: string;
  readonly parentId: number | undefined;
}

export type Visibility = "private" | "internal" | "public";

/** A project. */
export interface Project {
  readonly id: number;
  readonly name: string;
  readonly path: string;
  readonly namespace: Namespace;
  readonly description: string;
  readonly visibility: Visibility;
  /** Undefined until something was pushed. */
  readonly defaultBranch: string | undefined;
  readonly createdAt: number;
}

/** `group/sub/project`. */
export const pathOf = (project: Project): string => `${project.namespace.fullPath}/${project.path}`;

/** As GitLab shows it to people: `Group / Project`. */
export const displayNameOf = (project: Project): string => `${project.namespace.name} / ${project.name}`;

/** A variable of a project, as its settings hold it. */
export interface ProjectVariable {
  readonly key: string;
  readonly value: string;
  readonly masked: boolean;
  readonly raw: boolean;
  /** Only for pipelines of protected refs. */
  readonly protected: boolean;
  readonly file: boolean;
}
