import { jobHook18 } from "../../../reconciler/forge/gitlab/webhook-payloads.fixture.js";
import { httpRequest } from "./http-lane.js";

/** The project whose jobs everything here is about. */
export const projectId = jobHook18.project_id;

const placeholder = 987_654_321;

/** A job that has just begun to wait: `commit.id` is a number, there is no runner and no word of tags. */
const template = JSON.stringify({
  ...jobHook18,
  build_id: placeholder,
  build_status: "pending",
  build_started_at: null,
  build_started_at_iso: null,
  build_duration: null,
  runner: null,
});

/** Where hooks go, and with which secret. */
export interface HookTarget {
  readonly url: string;
  readonly secret: string;
}

/** A Job Hook as GitLab sends it, for each job. */
export function hookRequests({ url, secret }: HookTarget): (jobId: number) => Buffer {
  const headers = {
    "content-type": "application/json",
    "user-agent": "GitLab/18.5.0",
    "idempotency-key": "8f0c4a52-3f0b-4c55-9a3e-0d6b1c1f7a10",
    "x-gitlab-event": "Job Hook",
    "x-gitlab-webhook-uuid": "2f1f6a0e-7a5c-4b1e-8a52-6d1a0b4f3c99",
    "x-gitlab-instance": "https://gitlab.example.com",
    "x-gitlab-event-uuid": "5c1b6f0e-2a8f-4a3c-9a83-1c1f0d4e7b21",
    "x-gitlab-token": secret,
  };
  // Ids have the placeholder's length, so that each request is the same text but for its id.
  const [before = "", after = ""] = httpRequest("POST", url, headers, template).toString("utf8").split(String(placeholder));
  return (jobId) => Buffer.from(`${before}${jobId}${after}`);
}

/** The id of the n-th job: as long as the template's. */
export const jobIdOf = (n: number): number => 100_000_000 + n;
