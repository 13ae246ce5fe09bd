import { z } from "zod";
import { FireRunnerError } from "../../model/errors.js";
import { isFinished, type JobStatus } from "../../model/job.js";
import { statusOf, timeOf } from "./answers.js";

export { provesSecret, provesSignature } from "./webhook-proof.js";

/**
 * What a webhook says happened. It is a hint: what is true is read from GitLab. Job Hooks carry no tags of the job, and
 * `other` stands for every event that is of no interest here.
 */
export type WebhookEvent =
  | {
      readonly kind: "job";
      readonly projectId: number;
      readonly jobId: number;
      readonly status: JobStatus;
      /** When what it tells of happened, in milliseconds since the epoch by GitLab's clock, where it says so. */
      readonly happenedAt: number | undefined;
    }
  | { readonly kind: "pipeline"; readonly projectId: number; readonly pipelineId: number }
  | { readonly kind: "other" };

/** Custom templates often put numbers in quotes. */
const idSchema = z.union([
  z.int().positive(),
  z
    .string()
    .regex(/^[1-9]\d{0,14}$/)
    .transform(Number),
]);

/** The fields that a Job Hook of any version and edition has; of the others only times are looked at, where they are there. */
const jobHookSchema = z.object({
  project_id: idSchema,
  build_id: idSchema,
  build_status: z.string().min(1),
  build_created_at: z.unknown().optional(),
  build_created_at_iso: z.unknown().optional(),
  build_started_at: z.unknown().optional(),
  build_started_at_iso: z.unknown().optional(),
  build_finished_at: z.unknown().optional(),
  build_finished_at_iso: z.unknown().optional(),
});
const jobHookFields = ["build_id", "build_status", "project_id"] as const;
const pipelineHookSchema = z.object({ project: z.object({ id: idSchema }), object_attributes: z.object({ id: idSchema }) });
/** System hooks about users and projects have no `object_kind`. */
const kindSchema = z.union([z.object({ object_kind: z.string().min(1) }), z.object({ event_name: z.string().min(1) })]);

/**
 * Reads a webhook's parsed body. Throws `FR-WEBHOOK-REFUSED` when it is not GitLab's, or a custom webhook template left
 * out what a Job Hook must have.
 */
export function parseWebhook(json: unknown): WebhookEvent {
  const kind = kindSchema.safeParse(json);
  if (!kind.success) throw refused(["object_kind"]);
  const objectKind = "object_kind" in kind.data ? kind.data.object_kind : undefined;
  if (objectKind === "build") return jobEvent(json);
  if (objectKind === "pipeline") return pipelineEvent(json);
  return { kind: "other" };
}

function jobEvent(json: unknown): WebhookEvent {
  const { data, error } = jobHookSchema.safeParse(json);
  if (error !== undefined) {
    const wrong = new Set(error.issues.map(({ path }) => path[0]));
    throw refused(jobHookFields.filter((field) => wrong.has(field)));
  }
  const status = statusOf(data.build_status);
  return { kind: "job", projectId: data.project_id, jobId: data.build_id, status, happenedAt: happenedAt(data, status) };
}

/** A job that waits may have been made long before it began to wait: of that moment nothing is told. */
function happenedAt(hook: z.output<typeof jobHookSchema>, status: JobStatus): number | undefined {
  if (status === "created") return timeOf(hook.build_created_at_iso) ?? timeOf(hook.build_created_at);
  if (status === "running") return timeOf(hook.build_started_at_iso) ?? timeOf(hook.build_started_at);
  if (isFinished(status)) return timeOf(hook.build_finished_at_iso) ?? timeOf(hook.build_finished_at);
  return undefined;
}

function pipelineEvent(json: unknown): WebhookEvent {
  const { data } = pipelineHookSchema.safeParse(json);
  return data === undefined ? { kind: "other" } : { kind: "pipeline", projectId: data.project.id, pipelineId: data.object_attributes.id };
}

/** Values are not repeated: payloads hold names and addresses of people. */
function refused(fields: readonly string[]): FireRunnerError {
  const all = ["object_kind", ...jobHookFields].join(", ");
  return new FireRunnerError(
    "FR-WEBHOOK-REFUSED",
    `the webhook has no usable ${fields.join(", ")}; GitLab's own payload has ${all}, and a custom webhook template must keep them`,
    { details: { fields: [...fields] } },
  );
}
