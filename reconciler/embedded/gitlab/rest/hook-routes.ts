import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Scope } from "../../../model/connection.js";
import { type CallLimit, createCallLimit } from "../hooks/call-limit.js";
import { type DeliveryRecord, type Hook, sameOwner } from "../hooks/hook.js";
import { callerOf, needs } from "../http/access.js";
import { page } from "../http/paging.js";
import { parametersOf, texts, wholeNumber } from "../http/parameters.js";
import { badParameter, notFound, Refusal, tooManyRequests, unprocessable } from "../http/refusal.js";
import { roles } from "../records/members.js";
import type { Project } from "../records/project.js";
import type { World } from "../world.js";
import { changedHook, deliveryEntity, hookDefaults, hookEntity, hookSettingsOf, newHook } from "./hook-settings.js";
import { testPayload } from "./hook-test.js";
import { adminOnly, groupOf, idOf, pathPart, projectOf } from "./lookups.js";

/** Whose hooks a path is about, after the caller's role was looked at. */
interface Owner {
  readonly scope: Scope;
  /** Of which projects a test may tell. */
  readonly projects: readonly Project[];
  readonly maxHooks: number;
  readonly kind: string;
}
type OwnerOf = (request: FastifyRequest) => Owner;

/** Unlike elsewhere, more than twenty on a page are refused. */
const eventsListed = z.object({ status: texts.optional(), per_page: wholeNumber.min(1).max(20).optional() });

/** The webhooks of projects, of groups, and of the instance. */
export function hookRoutes(app: FastifyInstance, world: World): void {
  const { projects } = world;
  const limits = { tests: createCallLimit(world.clock), resends: createCallLimit(world.clock) };
  hooksAt(app, world, "/projects/:id/hooks", limits, (request) => {
    const project = projectOf(world, request, roles.maintainer);
    return { scope: { projectId: project.id }, projects: [project], maxHooks: 100, kind: "project" };
  });
  hooksAt(app, world, "/groups/:id/hooks", limits, (request) => {
    // Uncertain: how GitLab refuses where group hooks are not part of the plan.
    if (!world.dials().groupHooks) throw notFound();
    const group = groupOf(world, request, roles.owner);
    const inGroup = projects.all().filter((project) => projects.groupIdsOf(project).includes(group.id));
    return { scope: { groupId: group.id }, projects: inGroup, maxHooks: 50, kind: "group" };
  });
  hooksAt(app, world, "/hooks", limits, (request) => {
    adminOnly(world, request);
    return { scope: { instance: true }, projects: [], maxHooks: 100, kind: "system" };
  });
}

type Limits = Readonly<Record<"tests" | "resends", CallLimit>>;

function hooksAt(app: FastifyInstance, world: World, path: string, limits: Limits, ownerOf: OwnerOf): void {
  const { hooks, deliveries, clock } = world;
  const show = (hook: Hook) => hookEntity(hook, clock.now());
  const find = (request: FastifyRequest): Hook => {
    const { scope } = ownerOf(request);
    const hook = hooks.find(idOf(request, "hook_id"));
    if (hook === undefined || !sameOwner(hook.owner, scope)) throw notFound();
    return hook;
  };
  const settingsOf = (asked: z.output<typeof changedHook>) => hookSettingsOf(asked, world.dials().hooks.signing);
  const limited = (request: FastifyRequest, limit: keyof Limits, hook: Hook): void => {
    const key = `${JSON.stringify(hook.owner)} ${callerOf(world, request).user.id}`;
    if (limits[limit].admit(key, world.dials().hooks.testsPerMinute)) return;
    throw tooManyRequests({ "retry-after": "60" });
  };

  app.get(path, needs(world, "read_api"), async (request, reply) =>
    page(request, reply, hooks.of(ownerOf(request).scope).toReversed(), world.url()).map(show),
  );
  app.get(`${path}/:hook_id`, needs(world, "read_api"), async (request) => show(find(request)));
  app.post(path, needs(world), async (request, reply) => {
    const { scope, maxHooks, kind } = ownerOf(request);
    const asked = parametersOf(newHook, request, { url: () => new Refusal(422, { error: "Invalid url given" }) });
    if (hooks.of(scope).length >= maxHooks) throw new Refusal(422, { error: `Maximum number of ${kind} hooks (${maxHooks}) exceeded` });
    return reply.code(201).send(show(hooks.add(scope, { ...hookDefaults, ...settingsOf(asked), url: asked.url })));
  });
  app.put(`${path}/:hook_id`, needs(world), async (request) => {
    const hook = find(request);
    const asked = parametersOf(changedHook, request, { url: () => new Refusal(422, { error: "Invalid url given" }) });
    return show(hooks.change(hook.id, settingsOf(asked)) ?? hook);
  });
  app.delete(`${path}/:hook_id`, needs(world), async (request, reply) => {
    hooks.remove(find(request).id);
    return reply.code(204).send();
  });
  app.put(`${path}/:hook_id/custom_headers/:key`, needs(world), async (request, reply) => {
    const hook = find(request);
    const key = pathPart(request, "key");
    const { value } = parametersOf(z.object({ value: z.string().max(2048) }), request);
    const others = hook.customHeaders.filter((header) => header.key !== key);
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,254}$/.test(key) || others.length >= 20) throw unprocessable("Illegal key or value");
    hooks.change(hook.id, { customHeaders: [...others, { key, value }] });
    return reply.code(204).send();
  });

  app.post(`${path}/:hook_id/test/:trigger`, needs(world), async (request, reply) => {
    const hook = find(request);
    limited(request, "tests", hook);
    const { event, body } = testPayload(world, ownerOf(request).projects, pathPart(request, "trigger"));
    const { responseStatus } = await deliveries.sendNow(hook, event, body);
    if (/^2\d\d$/.test(responseStatus)) return reply.code(201).send({ message: "201 Created" });
    // Uncertain: GitLab tells the receiver's own words here.
    throw unprocessable(responseStatus === "internal error" ? "Hook execution failed" : `The receiver answered ${responseStatus}`);
  });
  app.get(`${path}/:hook_id/events`, needs(world, "read_api"), async (request, reply) => {
    const hook = find(request);
    const { status } = parametersOf(eventsListed, request);
    if (status?.some((one) => !/^(\d{3}|successful|client_failure|server_failure)$/.test(one)) === true) {
      throw badParameter("status does not have a valid value");
    }
    const events = hook.deliveries.filter((delivery) => status === undefined || status.some((one) => fits(delivery, one)));
    return page(request, reply, events, world.url()).map((delivery) => deliveryEntity(delivery, hook));
  });
  app.post(`${path}/:hook_id/events/:event_id/resend`, needs(world), async (request, reply) => {
    const hook = find(request);
    limited(request, "resends", hook);
    const delivery = hook.deliveries.find(({ id }) => id === idOf(request, "event_id"));
    if (delivery === undefined) throw notFound();
    if (delivery.body === undefined) throw unprocessable("The event's body was too long to be kept");
    const again = await deliveries.sendNow(hook, delivery.event, delivery.body, delivery.idempotencyKey);
    return reply.code(201).send({ response_status: Number(again.responseStatus) || again.responseStatus });
  });
}

function fits({ responseStatus }: DeliveryRecord, status: string): boolean {
  if (status === "successful") return /^2\d\d$/.test(responseStatus);
  if (status === "client_failure") return /^4\d\d$/.test(responseStatus);
  if (status === "server_failure") return /^5\d\d$/.test(responseStatus) || responseStatus === "internal error";
  return responseStatus === status;
}
