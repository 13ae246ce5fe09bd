import { systemRandom } from "../reconciler/control/random.js";
import { type EmbeddedGitLab, type EmbeddedGitLabOptions, startEmbeddedGitLab as start } from "../reconciler/embedded/gitlab/start.js";
import { systemClock } from "../reconciler/model/clock.js";

/** As the embedded GitLab itself takes them; everything but `directory` has a default. */
export type GitLabOptions = Pick<EmbeddedGitLabOptions, "directory"> & Partial<EmbeddedGitLabOptions>;

/**
 * Starts a small GitLab at a free port of 127.0.0.1 unless `listen` says otherwise: projects with git repositories,
 * pipelines of their `.gitlab-ci.yml`, runners, logs and webhooks. Repositories and logs are kept in `directory`, where
 * those of an earlier one are removed. Rejects with `FR-CONFIG` when it cannot listen there. Stop it at the end.
 */
export function startEmbeddedGitLab(options: GitLabOptions): Promise<EmbeddedGitLab> {
  return start({ listen: "127.0.0.1:0", clock: systemClock, random: systemRandom, ...options });
}
