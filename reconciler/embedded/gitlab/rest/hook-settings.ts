import { z } from "zod";
import { isoTime } from "../entities/times.js";
import { alertStatus } from "../hooks/health.js";
import type { DeliveryRecord, Hook, HookSettings } from "../hooks/hook.js";
import { flag } from "../http/parameters.js";

const hookUrl = z
  .string()
  .max(2048)
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol));
const signingToken = z.string().regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/);
const customHeader = z.object({ key: z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,254}$/), value: z.string().max(2048) });

const settings = {
  name: z.string().max(255).optional(),
  description: z.string().max(2048).optional(),
  token: z.string().max(255).optional(),
  signing_token: signingToken.optional(),
  enable_ssl_verification: flag.optional(),
  job_events: flag.optional(),
  pipeline_events: flag.optional(),
  push_events: flag.optional(),
  custom_headers: z.array(customHeader).max(20).optional(),
  custom_webhook_template: z.string().max(4096).optional(),
};
/** `POST .../hooks` */
export const newHook = z.object({ url: hookUrl, ...settings });
/** `PUT .../hooks/:hook_id` */
export const changedHook = z.object({ url: hookUrl.optional(), ...settings });

/** A hook of which nothing was said but its address. */
export const hookDefaults: Omit<HookSettings, "url"> = {
  name: undefined,
  description: undefined,
  token: undefined,
  signingToken: undefined,
  enableSslVerification: true,
  jobEvents: false,
  pipelineEvents: false,
  pushEvents: true,
  customHeaders: [],
  customTemplate: undefined,
};

/** What was said of a hook. Where signing is not known, a signing token is passed over without a word. */
export function hookSettingsOf(asked: z.output<typeof changedHook>, signing: boolean): Partial<HookSettings> {
  return {
    ...(asked.url === undefined ? {} : { url: asked.url }),
    ...(asked.name === undefined ? {} : { name: asked.name }),
    ...(asked.description === undefined ? {} : { description: asked.description }),
    ...(asked.token === undefined ? {} : { token: asked.token === "" ? undefined : asked.token }),
    ...(asked.signing_token === undefined || !signing ? {} : { signingToken: asked.signing_token }),
    ...(asked.enable_ssl_verification === undefined ? {} : { enableSslVerification: asked.enable_ssl_verification }),
    ...(asked.job_events === undefined ? {} : { jobEvents: asked.job_events }),
    ...(asked.pipeline_events === undefined ? {} : { pipelineEvents: asked.pipeline_events }),
    ...(asked.push_events === undefined ? {} : { pushEvents: asked.push_events }),
    ...(asked.custom_headers === undefined ? {} : { customHeaders: asked.custom_headers }),
    ...(asked.custom_webhook_template === undefined ? {} : { customTemplate: asked.custom_webhook_template || undefined }),
  };
}

/** A hook as REST shows it; its secrets are never shown. */
export function hookEntity(hook: Hook, now: number) {
  const base = {
    id: hook.id,
    url: hook.url,
    name: hook.name ?? null,
    description: hook.description ?? null,
    created_at: isoTime(hook.createdAt),
    push_events: hook.pushEvents,
    tag_push_events: false,
    merge_requests_events: false,
    repository_update_events: false,
    enable_ssl_verification: hook.enableSslVerification,
    alert_status: alertStatus(hook.health, now),
    disabled_until: isoTime(hook.health.disabledUntil),
    url_variables: [],
    push_events_branch_filter: null,
    branch_filter_strategy: "wildcard",
    custom_webhook_template: hook.customTemplate ?? null,
    custom_headers: hook.customHeaders.map(({ key }) => ({ key })),
    // Uncertain: the names of these two.
    token_present: hook.token !== undefined,
    signing_token_present: hook.signingToken !== undefined,
  };
  if ("instance" in hook.owner) return { ...base, organization_id: 1 };
  return {
    ...base,
    ...("projectId" in hook.owner ? { project_id: hook.owner.projectId } : { group_id: hook.owner.groupId, subgroup_events: false }),
    issues_events: false,
    confidential_issues_events: false,
    note_events: false,
    confidential_note_events: false,
    pipeline_events: hook.pipelineEvents,
    wiki_page_events: false,
    deployment_events: false,
    feature_flag_events: false,
    job_events: hook.jobEvents,
    releases_events: false,
    milestone_events: false,
    emoji_events: false,
    resource_access_token_events: false,
  };
}

const triggers: Readonly<Record<string, string>> = { "Job Hook": "job_hooks", "Pipeline Hook": "pipeline_hooks" };

/** A delivery as the hook's log shows it. Uncertain: what the receiver answered, beside its status, is not kept. */
export const deliveryEntity = (delivery: DeliveryRecord, hook: Hook) => ({
  id: delivery.id,
  url: hook.url,
  trigger: triggers[delivery.event] ?? "system_hooks",
  request_headers: {
    "Content-Type": "application/json",
    "X-Gitlab-Event": delivery.event,
    "Idempotency-Key": delivery.idempotencyKey,
    ...Object.fromEntries(hook.customHeaders.map(({ key }) => [key, "[REDACTED]"])),
  },
  request_data: delivery.body === undefined ? { oversize: true } : JSON.parse(delivery.body),
  response_headers: {},
  response_body: "",
  execution_duration: delivery.durationS,
  response_status: delivery.responseStatus,
  created_at: isoTime(delivery.at),
});
