import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { tokenEntity } from "../entities/token-entity.js";
import { callerOf, needs } from "../http/access.js";
import { page } from "../http/paging.js";
import { parametersOf, texts, wholeNumber } from "../http/parameters.js";
import { badParameter, badRequest, forbidden, notFound, unauthorized } from "../http/refusal.js";
import { isRole, type Membership, type Role, roles } from "../records/members.js";
import { type AccessToken, isActive, type NewToken, tokenScopes } from "../records/tokens.js";
import type { World } from "../world.js";
import { standingInGroup, standingInProject } from "./abilities.js";
import { adminOnly, groupOf, idOf, projectOf } from "./lookups.js";

const date = z
  .string()
  .regex(/^\d{4}-\d\d-\d\d$/)
  .refine((text) => !Number.isNaN(Date.parse(text)));
const newToken = z.object({ name: z.string().min(1).max(255), scopes: texts, expires_at: date.optional() });
const newResourceToken = newToken.extend({ access_level: wholeNumber.default(roles.maintainer) });
const maxTokens = 1000;

/** Access tokens of users, projects and groups: made, shown, and revoked. */
export function tokenRoutes(app: FastifyInstance, world: World): void {
  const { tokens, users, clock } = world;
  const show = (token: AccessToken) => tokenEntity(token, clock.now());

  /** What a token is made of but its holder. Throws before anything is made. */
  function checked(asked: z.output<typeof newToken>): Omit<NewToken, "userId" | "of"> {
    const scopes = tokenScopes.filter((scope) => asked.scopes.includes(scope));
    if (scopes.length === 0 || scopes.length !== new Set(asked.scopes).size) throw badParameter("scopes does not have a valid value");
    if (tokens.all().length >= maxTokens) throw badParameter("too many access tokens");
    // Uncertain: GitLab sets an end itself when none is given, and refuses one that is too far away.
    const expiresAt = asked.expires_at === undefined ? undefined : Date.parse(asked.expires_at);
    return { name: asked.name, scopes, expiresAt };
  }
  const revoke = (id: number): void => {
    if (!tokens.revoke(id)) throw notFound("Personal Access Token");
  };

  app.get("/personal_access_tokens", needs(world, "read_api"), async (request, reply) => {
    const { user } = callerOf(world, request);
    const own = tokens.all().filter((token) => token.of === undefined && (user.admin || token.userId === user.id));
    return page(request, reply, own.toReversed(), world.url()).map(show);
  });
  // Every token may look at itself and end itself, whatever its scopes.
  app.get("/personal_access_tokens/self", async (request) => show(callerOf(world, request).token));
  app.delete("/personal_access_tokens/self", async (request, reply) => {
    revoke(callerOf(world, request).token.id);
    return reply.code(204).send();
  });
  app.get("/personal_access_tokens/:token_id", needs(world, "read_api"), async (request) => {
    const { user } = callerOf(world, request);
    const token = tokens.byId(idOf(request, "token_id"));
    if (token !== undefined && (user.admin || token.userId === user.id)) return show(token);
    throw user.admin ? notFound() : unauthorized();
  });
  app.delete("/personal_access_tokens/:token_id", needs(world), async (request, reply) => {
    const { user } = callerOf(world, request);
    const id = idOf(request, "token_id");
    if (!user.admin && tokens.byId(id)?.userId !== user.id) throw notFound("Personal Access Token");
    revoke(id);
    return reply.code(204).send();
  });
  app.post("/personal_access_tokens/self/rotate", needs(world, "self_rotate"), async (request, reply) => {
    const { token: old } = callerOf(world, request);
    const { expires_at: until } = parametersOf(z.object({ expires_at: date.optional() }), request);
    const weekMs = 7 * 86_400_000;
    const expiresAt = until === undefined ? Math.floor((clock.now() + weekMs) / 86_400_000) * 86_400_000 : Date.parse(until);
    revoke(old.id);
    const { token, record } = tokens.add({ ...old, expiresAt });
    return reply.code(200).send({ ...show(record), token });
  });
  app.post("/users/:id/personal_access_tokens", needs(world), async (request, reply) => {
    adminOnly(world, request);
    const user = users.find(idOf(request, "id"));
    if (user === undefined) throw notFound("User");
    const { token, record } = tokens.add({ ...checked(parametersOf(newToken, request)), userId: user.id, of: undefined });
    return reply.code(201).send({ ...show(record), token });
  });

  /** The tokens of what stands in the path; `standing` is the caller's role there, which no token exceeds. */
  function resourceTokens(path: string, kind: string, of: (request: FastifyRequest) => { where: Membership; standing: Role | 0 }): void {
    const shownWith = (token: AccessToken, where: Membership) => ({
      ...show(token),
      access_level: world.members.role(where, token.userId) ?? null,
      resource_type: kind,
      resource_id: "projectId" in where ? where.projectId : where.groupId,
    });
    const ofWhere = (where: Membership) =>
      tokens.all().filter((token) => JSON.stringify(token.of) === JSON.stringify(where) && isActive(token, clock.now()));
    app.get(path, needs(world, "read_api"), async (request, reply) => {
      const { where } = of(request);
      return page(request, reply, ofWhere(where).toReversed(), world.url()).map((token) => shownWith(token, where));
    });
    app.post(path, needs(world), async (request, reply) => {
      const { where, standing } = of(request);
      const asked = parametersOf(newResourceToken, request);
      if (!isRole(asked.access_level)) throw badParameter("access_level does not have a valid value");
      if (asked.access_level > standing) throw badRequest("400 Bad request - User does not have permission to create the token");
      const made = checked(asked);
      const name = `${kind}_${"projectId" in where ? where.projectId : where.groupId}_bot_${world.random.hex(8)}`;
      const bot = { username: name, name: asked.name, email: `${name}@noreply.example.com`, admin: false, bot: true };
      const userId = users.add(bot).id;
      const { token, record } = tokens.add({ ...made, userId, of: where });
      world.members.set(where, userId, asked.access_level);
      return reply.code(201).send({ ...shownWith(record, where), token });
    });
    app.delete(`${path}/:token_id`, needs(world), async (request, reply) => {
      const { where } = of(request);
      const token = ofWhere(where).find(({ id }) => id === idOf(request, "token_id"));
      if (token === undefined) throw notFound(`Could not find ${kind} access token with token_id`);
      revoke(token.id);
      return reply.code(204).send();
    });
  }
  resourceTokens("/projects/:id/access_tokens", "project", (request) => {
    const project = projectOf(world, request, roles.maintainer);
    const { user } = callerOf(world, request);
    if (user.bot && request.method === "POST") throw forbidden();
    return { where: { projectId: project.id }, standing: standingInProject(world, user, project) };
  });
  resourceTokens("/groups/:id/access_tokens", "group", (request) => {
    const group = groupOf(world, request, roles.owner);
    const { user } = callerOf(world, request);
    if (user.bot && request.method === "POST") throw forbidden();
    return { where: { groupId: group.id }, standing: standingInGroup(world, user, group) };
  });
}
