import { displayNameOf, type Namespace, type Project, type ProjectVariable, pathOf } from "../records/project.js";
import { isoTime } from "./times.js";

export const projectUrl = (project: Project, url: string): string => `${url}/${pathOf(project)}`;

/** A group or the administrator's namespace, as it stands within a project. */
export const namespaceEntity = (namespace: Namespace, url: string) => ({
  id: namespace.id,
  name: namespace.name,
  path: namespace.path,
  kind: namespace.kind,
  full_path: namespace.fullPath,
  parent_id: namespace.parentId ?? null,
  avatar_url: null,
  web_url: namespace.kind === "group" ? `${url}/groups/${namespace.fullPath}` : `${url}/${namespace.fullPath}`,
});

/** A group by itself. */
export const groupEntity = (group: Namespace, url: string) => ({
  id: group.id,
  web_url: `${url}/groups/${group.fullPath}`,
  name: group.name,
  path: group.path,
  description: "",
  visibility: "private",
  full_name: group.fullPath.replaceAll("/", " / "),
  full_path: group.fullPath,
  parent_id: group.parentId ?? null,
});

/** Which project it is, as it stands within other records. */
export const projectIdentity = (project: Project) => ({
  id: project.id,
  description: project.description,
  name: project.name,
  name_with_namespace: displayNameOf(project),
  path: project.path,
  path_with_namespace: pathOf(project),
  created_at: isoTime(project.createdAt),
});

/** A project as REST shows it. */
export const projectEntity = (project: Project, url: string) => ({
  ...projectIdentity(project),
  default_branch: project.defaultBranch ?? null,
  ssh_url_to_repo: `git@${new URL(url).hostname}:${pathOf(project)}.git`,
  http_url_to_repo: `${projectUrl(project, url)}.git`,
  web_url: projectUrl(project, url),
  namespace: namespaceEntity(project.namespace, url),
  visibility: project.visibility,
  empty_repo: project.defaultBranch === undefined,
  archived: false,
  jobs_enabled: true,
  builds_access_level: "enabled",
  shared_runners_enabled: true,
  ci_config_path: null,
  build_timeout: 3600,
});

/** A project's variable as its settings show it. */
export const variableEntity = (variable: ProjectVariable) => ({
  variable_type: variable.file ? "file" : "env_var",
  key: variable.key,
  value: variable.value,
  protected: variable.protected,
  masked: variable.masked,
  hidden: false,
  raw: variable.raw,
  environment_scope: "*",
  description: null,
});

const visibilityLevels = { private: 0, internal: 10, public: 20 } as const;

/** The project as webhooks tell it. */
export const hookProject = (project: Project, url: string) => ({
  id: project.id,
  name: project.name,
  description: project.description,
  web_url: projectUrl(project, url),
  avatar_url: null,
  git_ssh_url: `git@${new URL(url).hostname}:${pathOf(project)}.git`,
  git_http_url: `${projectUrl(project, url)}.git`,
  namespace: project.namespace.name,
  visibility_level: visibilityLevels[project.visibility],
  path_with_namespace: pathOf(project),
  default_branch: project.defaultBranch ?? null,
  ci_config_path: null,
});

/** The repository as job webhooks tell it. */
export const hookRepository = (project: Project, url: string) => ({
  name: project.name,
  url: `git@${new URL(url).hostname}:${pathOf(project)}.git`,
  description: project.description,
  homepage: projectUrl(project, url),
  git_http_url: `${projectUrl(project, url)}.git`,
  git_ssh_url: `git@${new URL(url).hostname}:${pathOf(project)}.git`,
  visibility_level: visibilityLevels[project.visibility],
});
