import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Run } from "../engine/run.js";
import { isoTime } from "../entities/times.js";
import { alertStatus } from "../hooks/health.js";
import type { DeliveryRecord, Hook, HookSettings } from "../hooks/hook.js";
import { jobPayload } from "../hooks/job-payload.js";
import { pipelinePayload } from "../hooks/pipeline-payload.js";
import { needs } from "../http/access.js";
import { page } from "../http/paging.js";
import { flag, parametersOf } from "../http/parameters.js";
import { badRequest, notFound, Refusal } from "../http/refusal.js";
import type { Project } from "../records/project.js";
import { shown, type World } from "../world.js";
import { eventIdOf, hookIdOf, pathPart, projectOf } from "./lookups.js";

const signingToken = z.string().regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/);
const settings = {
  name: z.string().max(255).optional(),
  description: z.string().max(2048).optional(),
  token: z.string().max(255).optional(),
  signing_token: signingToken.optional(),
  enable_ssl_verification: flag.optional(),
  job_events: flag.optional(),
  pipeline_events: flag.optional(),
  push_events: flag.optional(),
};
const newHook = z.object({ url: z.string(), ...settings });
const changedHook = z.object({ url: z.string().optional(), ...settings });
const maxHooks = 100;

/** A project's webhooks. */
export function hookRoutes(app: FastifyInstance, world: World): void {
  const { hooks, deliveries, clock } = world;
  const path = "/projects/:id/hooks";
  const show = (hook: Hook) => hookEntity(hook, clock.now());
  const find = (request: FastifyRequest): Hook => {
    const hook = hooks.find(projectOf(world, request).id, hookIdOf(request));
    if (hook === undefined) throw notFound("Hook");
    return hook;
  };

  app.get(path, needs(world), async (request, reply) => {
    const all = hooks.ofProject(projectOf(world, request).id);
    return page(request, reply, all.toReversed(), world.url(), "id").map(show);
  });
  app.get(`${path}/:hook_id`, needs(world), async (request) => show(find(request)));
  app.post(path, needs(world), async (request, reply) => {
    const project = projectOf(world, request);
    const asked = parametersOf(newHook, request);
    checkUrl(asked.url);
    if (hooks.ofProject(project.id).length >= maxHooks) {
      throw new Refusal(422, { error: `Maximum number of project hooks (${maxHooks}) exceeded` });
    }
    return reply.code(201).send(show(hooks.add(project.id, { ...defaults, ...settingsOf(asked), url: asked.url })));
  });
  app.put(`${path}/:hook_id`, needs(world), async (request) => {
    const hook = find(request);
    const asked = parametersOf(changedHook, request);
    if (asked.url !== undefined) checkUrl(asked.url);
    const url = asked.url === undefined ? {} : { url: asked.url };
    return show(hooks.change(hook.id, { ...settingsOf(asked), ...url }) ?? hook);
  });
  app.delete(`${path}/:hook_id`, needs(world), async (request, reply) => {
    hooks.remove(find(request).id);
    return reply.code(204).send();
  });

  app.post(`${path}/:hook_id/test/:trigger`, needs(world), async (request, reply) => {
    const hook = find(request);
    const { event, body } = testPayload(world, projectOf(world, request), pathPart(request, "trigger"));
    return reply.code(201).send(answerOf(await deliveries.sendNow(hook, event, body)));
  });
  app.get(`${path}/:hook_id/events`, needs(world), async (request, reply) =>
    page(request, reply, find(request).deliveries, world.url()).map((delivery) => deliveryEntity(delivery, find(request))),
  );
  app.post(`${path}/:hook_id/events/:event_id/resend`, needs(world), async (request, reply) => {
    const hook = find(request);
    const delivery = hook.deliveries.find(({ id }) => id === eventIdOf(request));
    if (delivery === undefined) throw notFound("Event");
    if (delivery.body === undefined) throw new Refusal(422, { message: "The event's body was too long to be kept" });
    const again = await deliveries.sendNow(hook, delivery.event, delivery.body, delivery.idempotencyKey);
    return reply.code(201).send({ response_status: Number(again.responseStatus) || again.responseStatus });
  });
}

function checkUrl(url: string): void {
  const taken = url.length <= 2048 && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
  if (!taken) throw new Refusal(422, { error: "Invalid url given" });
}

const defaults: Omit<HookSettings, "url"> = {
  name: undefined,
  description: undefined,
  token: undefined,
  signingToken: undefined,
  enableSslVerification: true,
  jobEvents: false,
  pipelineEvents: false,
  pushEvents: true,
};

function settingsOf(asked: z.output<typeof changedHook>): Partial<HookSettings> {
  return {
    ...(asked.name === undefined ? {} : { name: asked.name }),
    ...(asked.description === undefined ? {} : { description: asked.description }),
    ...(asked.token === undefined ? {} : { token: asked.token }),
    ...(asked.signing_token === undefined ? {} : { signingToken: asked.signing_token }),
    ...(asked.enable_ssl_verification === undefined ? {} : { enableSslVerification: asked.enable_ssl_verification }),
    ...(asked.job_events === undefined ? {} : { jobEvents: asked.job_events }),
    ...(asked.pipeline_events === undefined ? {} : { pipelineEvents: asked.pipeline_events }),
    ...(asked.push_events === undefined ? {} : { pushEvents: asked.push_events }),
  };
}

const hookEntity = (hook: Hook, now: number) => ({
  id: hook.id,
  url: hook.url,
  name: hook.name ?? null,
  description: hook.description ?? null,
  created_at: isoTime(hook.createdAt),
  project_id: hook.projectId,
  push_events: hook.pushEvents,
  tag_push_events: false,
  merge_requests_events: false,
  issues_events: false,
  note_events: false,
  job_events: hook.jobEvents,
  pipeline_events: hook.pipelineEvents,
  wiki_page_events: false,
  deployment_events: false,
  releases_events: false,
  enable_ssl_verification: hook.enableSslVerification,
  alert_status: alertStatus(hook.health, now),
  disabled_until: isoTime(hook.health.disabledUntil),
  url_variables: [],
  custom_headers: [],
  custom_webhook_template: null,
  token_present: hook.token !== undefined,
  signing_token_present: hook.signingToken !== undefined,
});

const deliveryEntity = (delivery: DeliveryRecord, hook: Hook) => ({
  id: delivery.id,
  url: hook.url,
  trigger: delivery.event === "Job Hook" ? "job_hooks" : "pipeline_hooks",
  request_headers: { "X-Gitlab-Event": delivery.event, "Idempotency-Key": delivery.idempotencyKey },
  request_data: delivery.body ?? null,
  response_status: delivery.responseStatus,
  execution_duration: delivery.durationS,
  created_at: isoTime(delivery.at),
});

/** What GitLab says about a test: 201 when the receiver answered 2xx, else 422. */
function answerOf(delivery: DeliveryRecord) {
  if (!/^2\d\d$/.test(delivery.responseStatus)) throw new Refusal(422, { message: "Hook execution failed" });
  return { message: "201 Created" };
}

function testPayload(world: World, project: Project, trigger: string): { readonly event: string; readonly body: string } {
  const latest: Run | undefined = world.engine.runsOf(project.id)[0];
  if (trigger !== "job_events" && trigger !== "pipeline_events") throw badRequest("trigger does not have a valid value");
  if (latest === undefined) throw new Refusal(422, { message: "Ensure the project has CI pipelines." });
  const job = latest.jobs[0];
  if (trigger === "job_events") {
    if (job === undefined) throw new Refusal(422, { message: "Ensure the project has CI jobs." });
    return { event: "Job Hook", body: JSON.stringify(jobPayload(shown(world, { run: latest, job }, project))) };
  }
  const runnerOf = (of: (typeof latest.jobs)[number]) => world.runners.find(of.assignment?.runnerId ?? 0);
  const payload = pipelinePayload({ run: latest, project, runnerOf, url: world.url(), now: world.clock.now() });
  return { event: "Pipeline Hook", body: JSON.stringify(payload) };
}
