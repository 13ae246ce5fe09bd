import { z } from "zod";
import { FireRunnerError } from "../../model/errors.js";
import { describesPresence } from "../../model/presence.js";

/** A GitLab and a token of its administrator. */
export interface GitLabAddress {
  readonly url: string;
  readonly token: string;
}

const projectSchema = z.object({ id: z.int(), path_with_namespace: z.string(), http_url_to_repo: z.string() });
const hookSchema = z.object({ id: z.int(), url: z.string() });
const pipelineSchema = z.object({ id: z.int(), status: z.string(), sha: z.string(), yaml_errors: z.string().nullish() });
const jobSchema = z.object({
  id: z.int(),
  name: z.string(),
  stage: z.string(),
  status: z.string(),
  allow_failure: z.boolean(),
  created_at: z.string().nullish(),
  started_at: z.string().nullish(),
  finished_at: z.string().nullish(),
});
export type Project = z.output<typeof projectSchema>;
export type Pipeline = z.output<typeof pipelineSchema>;
export type PipelineJob = z.output<typeof jobSchema>;

const deadlineMs = 30_000;
const finished: ReadonlySet<string> = new Set(["success", "failed", "canceled", "skipped"]);

/** Whether a pipeline or job will not change any more by itself. */
export const isOver = (status: string): boolean => finished.has(status);

/** The few calls by which the development world is driven from outside, as any user of GitLab would make them. */
export interface GitLabClient {
  /** The project at `namespace/name`, made when there is none. */
  ensureProject(path: string): Promise<Project>;
  /** Makes the project tell its job events to `url`, unless it does so already. */
  ensureHook(projectId: number, url: string, secret: string): Promise<void>;
  pipelineOf(projectId: number, sha: string): Promise<Pipeline | undefined>;
  pipeline(projectId: number, pipelineId: number): Promise<Pipeline>;
  /** The pipeline's jobs in the order in which they were made, retried ones included. */
  jobs(projectId: number, pipelineId: number): Promise<readonly PipelineJob[]>;
  log(projectId: number, jobId: number): Promise<string>;
  cancelJob(projectId: number, jobId: number): Promise<void>;
  /** How many runners there are in the whole instance, without those that never take a job. */
  countRunners(): Promise<number>;
}

export function createGitLabClient(address: GitLabAddress): GitLabClient {
  async function call(method: string, path: string, body?: unknown): Promise<Response> {
    const attempted = `${method} ${address.url}/api/v4/${path}`;
    let response: Response;
    try {
      response = await fetch(`${address.url}/api/v4/${path}`, {
        method,
        headers: { "private-token": address.token, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(deadlineMs),
      });
    } catch (caught) {
      throw FireRunnerError.from(caught, "FR-FORGE-UNREACHABLE", attempted);
    }
    if (response.ok || response.status === 404) return response;
    throw new FireRunnerError(
      "FR-FORGE-REJECTED",
      `${attempted} was answered ${response.status}: ${(await response.text()).slice(0, 400)}`,
    );
  }

  async function read<S extends z.ZodType>(schema: S, path: string): Promise<z.output<S>> {
    const response = await call("GET", path);
    if (response.status === 404) throw new FireRunnerError("FR-FORGE-NOT-FOUND", `${address.url} has no ${path}`);
    return schema.parse(await response.json());
  }

  return {
    async ensureProject(path) {
      const found = await call("GET", `projects/${encodeURIComponent(path)}`);
      if (found.status !== 404) return projectSchema.parse(await found.json());
      const [namespace = "root", name = path] = path.includes("/") ? path.split("/") : [undefined, path];
      const made = await call("POST", "projects", { name, path: name, namespace_path: namespace });
      return projectSchema.parse(await made.json());
    },
    async ensureHook(projectId, url, secret) {
      const hooks = await read(z.array(hookSchema), `projects/${projectId}/hooks`);
      if (hooks.some((hook) => hook.url === url)) return;
      await call("POST", `projects/${projectId}/hooks`, {
        url,
        token: secret,
        job_events: true,
        pipeline_events: true,
        push_events: false,
      });
    },
    async pipelineOf(projectId, sha) {
      const [latest] = await read(z.array(pipelineSchema), `projects/${projectId}/pipelines?sha=${sha}`);
      return latest;
    },
    pipeline: (projectId, pipelineId) => read(pipelineSchema, `projects/${projectId}/pipelines/${pipelineId}`),
    async jobs(projectId, pipelineId) {
      const path = `projects/${projectId}/pipelines/${pipelineId}/jobs?per_page=100&include_retried=true`;
      return (await read(z.array(jobSchema), path)).toSorted((a, b) => a.id - b.id);
    },
    async log(projectId, jobId) {
      return (await call("GET", `projects/${projectId}/jobs/${jobId}/trace`)).text();
    },
    async cancelJob(projectId, jobId) {
      await call("POST", `projects/${projectId}/jobs/${jobId}/cancel`);
    },
    async countRunners() {
      const runners = await read(z.array(z.object({ description: z.string() })), "runners/all?per_page=100");
      return runners.filter(({ description }) => !describesPresence(description)).length;
    },
  };
}
