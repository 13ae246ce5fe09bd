import type { Commit } from "../engine/run.js";
import type { Project } from "../records/project.js";
import { projectUrl } from "./project-entity.js";

/** The first line of a commit's message. */
export const titleOf = (commit: Commit): string => commit.message.split("\n")[0] ?? "";

/** A commit as REST shows it within a job. */
export const commitEntity = (commit: Commit, project: Project, url: string) => ({
  id: commit.sha,
  short_id: commit.sha.slice(0, 8),
  created_at: commit.committedAt,
  parent_ids: commit.parents,
  title: titleOf(commit),
  message: commit.message,
  author_name: commit.authorName,
  author_email: commit.authorEmail,
  authored_date: commit.authoredAt,
  committer_name: commit.committerName,
  committer_email: commit.committerEmail,
  committed_date: commit.committedAt,
  trailers: {},
  web_url: `${projectUrl(project, url)}/-/commit/${commit.sha}`,
});
