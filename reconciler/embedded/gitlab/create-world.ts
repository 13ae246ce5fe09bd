import { join } from "node:path";
import type { Clock, Random } from "../../model/clock.js";
import { dialsSchema } from "./dials.js";
import { createEngine } from "./engine/engine.js";
import type { Job } from "./engine/run.js";
import { createGitProcesses } from "./git/processes.js";
import { createRepositories } from "./git/repositories.js";
import { announceChanges } from "./hooks/announce.js";
import { createDeliveries } from "./hooks/deliveries.js";
import { createHooks } from "./hooks/hook.js";
import { createLogs } from "./logs.js";
import { createMembers } from "./records/members.js";
import { createProjects } from "./records/projects.js";
import { createProtectedRefs } from "./records/protected-refs.js";
import { createRunners } from "./records/runners.js";
import { createTokens } from "./records/tokens.js";
import { createUsers } from "./records/user.js";
import { createJobQueue } from "./runner-api/job-queue.js";
import { isServed } from "./runner-api/take-job.js";
import { maxPushBytes, version, type World } from "./world.js";

export interface WorldOptions {
  /** Repositories and logs live here. */
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly token: string;
  /** Where this GitLab is reached; known once it listens. */
  readonly url: () => string;
}

// A runner cuts a log at 4 MiB by default and then says so: its last words fit in here too.
const maxLogBytes = 4_194_304 + 65_536;
const maxPipelines = 1000;
const projectTimeoutS = 3600;
const giveUpEveryMs = 30_000;

/** Puts the parts together; nothing listens yet. */
export function createWorld({ directory, clock, random, token, url }: WorldOptions): World {
  let dials = dialsSchema.parse({});
  const stopping = new AbortController();
  const projects = createProjects(clock);
  const runners = createRunners(clock, random);
  const engine = createEngine({ clock, random, maxPipelines, projectTimeoutS });
  const logs = createLogs(join(directory, "logs"), maxLogBytes);
  const git = createGitProcesses({ clock, home: directory });
  const repositories = createRepositories(git, join(directory, "repositories"), maxPushBytes);
  const hooks = createHooks(clock);
  const deliveries = createDeliveries({ hooks, clock, random, dials: () => dials.hooks, instance: url, version });
  const queue = createJobQueue(clock, random);

  const runnerOf = (job: Job) => (job.assignment === undefined ? undefined : runners.find(job.assignment.runnerId));
  announceChanges({ engine, projects, hooks, deliveries, runnerOf, url, clock, dials: () => dials.hooks });
  engine.onForgotten(logs.remove);
  engine.onChange((change) => {
    if (change.kind === "job") queue.changed();
  });
  runners.onChange(queue.changed);

  let cancelNext = clock.after(giveUpEveryMs, giveUp);
  function giveUp(): void {
    engine.giveUp(dials.patience, (found) => isServed({ runners, projects, clock }, found));
    cancelNext = clock.after(giveUpEveryMs, giveUp);
  }

  return {
    clock,
    random,
    url,
    users: createUsers(),
    members: createMembers(),
    projects,
    protectedRefs: createProtectedRefs(),
    runners,
    tokens: createTokens(token, clock, random),
    engine,
    logs,
    git,
    repositories,
    hooks,
    deliveries,
    queue,
    dials: () => dials,
    setDials(next) {
      dials = next;
    },
    stopping: stopping.signal,
    async stop() {
      stopping.abort();
      cancelNext();
      engine.stop();
      queue.stop();
      await Promise.all([deliveries.stop(), git.stop()]);
    },
  };
}
