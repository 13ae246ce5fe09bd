import type { Clock, Random } from "../../model/clock.js";
import type { ForgePort, ForgeRunner } from "../port.js";
import { checkAccess } from "./access.js";
import { activeJobs } from "./active-jobs.js";
import { createCalls } from "./calls.js";
import { createClients } from "./client.js";
import { type CredentialLanes, createCredentialLanes, type RequestOutcome } from "./credential-lanes.js";
import { createTransport } from "./exchange.js";
import { readJob } from "./job-calls.js";
import { readJobLog } from "./job-log.js";
import { defaultForgeLimits, type ForgeLimits } from "./limits.js";
import { cancelJob, retryJob } from "./lost-job-calls.js";
import { showRunner } from "./presence-calls.js";
import { readProtectedRefs } from "./protected-refs.js";
import { deleteRunner, findRunners, makeRunner, pauseRunner, readRunner, runningJobs, unpauseRunner } from "./runner-calls.js";
import { createScopeProjects } from "./scope-projects.js";
import { createSharedReads } from "./shared-reads.js";
import { createWebhookKeeper } from "./webhook-keeper.js";

export interface GitLabForgeOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The secret behind `env:NAME` or `file:PATH`, asked for with every request; throws `FR-CONFIG` when there is none. */
  readonly resolveSecret: (ref: string) => string | Promise<string>;
  readonly limits?: Partial<ForgeLimits>;
  /** Is told of every request that was sent. */
  readonly onRequest?: (connection: string, outcome: RequestOutcome) => void;
}

/** The port, and what is left of the credentials' budgets. */
export type GitLabForge = ForgePort & Pick<CredentialLanes, "budgets">;

/** GitLab behind the port: any number of connections, and for each credential its own bounded lane of requests. */
export function createGitLabForge(options: GitLabForgeOptions): GitLabForge {
  const { clock, random, resolveSecret } = options;
  const limits = { ...defaultForgeLimits, ...options.limits };
  const transport = createTransport(clock);
  const lanes = createCredentialLanes(clock, random, limits, options.onRequest ?? (() => {}));
  const sender = { clock, random, transport, lanes, limits, resolveSecret };
  const calls = createCalls(clock);
  const gitlab = { clock, calls, clients: createClients(sender, limits), limits };
  const projects = createScopeProjects(clock, limits);
  const webhooks = createWebhookKeeper(gitlab, resolveSecret);
  const runnerLists = createSharedReads<readonly ForgeRunner[]>();

  return {
    readJob: (connection, projectId, jobId) => {
      projects.noted(connection, projectId);
      return readJob(gitlab, connection, projectId, jobId);
    },
    activeJobs: (connection, projectId) => activeJobs(gitlab, projects, connection, projectId),
    protectedRefs: (connection, projectId) => readProtectedRefs(gitlab, connection, projectId),
    jobLog: (connection, projectId, jobId) => readJobLog(gitlab, sender, connection, projectId, jobId),
    cancelJob: (connection, projectId, jobId, force) => cancelJob(gitlab, connection, projectId, jobId, force),
    retryJob: (connection, job) => retryJob(gitlab, connection, job),
    makeRunner: (connection, request) => makeRunner(gitlab, connection, request),
    findRunners: (connection, prefix) => findRunners(gitlab, runnerLists, connection, prefix),
    pauseRunner: (connection, runnerId) => pauseRunner(gitlab, connection, runnerId),
    unpauseRunner: (connection, runnerId) => unpauseRunner(gitlab, connection, runnerId),
    readRunner: (connection, runnerId) => readRunner(gitlab, connection, runnerId),
    showRunner: (connection, runnerToken) => showRunner(gitlab, sender, connection, runnerToken),
    runningJobs: (connection, runnerId) => runningJobs(gitlab, connection, runnerId),
    deleteRunner: (connection, runnerId) => deleteRunner(gitlab, connection, runnerId),
    checkAccess: (connection, endsJobs) => checkAccess(gitlab, connection, endsJobs),
    ensureWebhook: (connection, url) => webhooks.ensure(connection, url),
    budgets: () => lanes.budgets(),
    async stop() {
      await calls.stop();
      transport.stop();
    },
  };
}
