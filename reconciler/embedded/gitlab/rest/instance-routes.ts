import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { isoTime } from "../entities/times.js";
import { administrator, userEntity } from "../entities/user.js";
import { needs, ownToken } from "../http/access.js";
import { parametersOf, texts } from "../http/parameters.js";
import { badParameter, notFound } from "../http/refusal.js";
import { type AccessToken, tokenScopes } from "../records/tokens.js";
import { version, type World } from "../world.js";
import { tokenIdOf } from "./lookups.js";

const newToken = z.object({ name: z.string().min(1).max(255), scopes: texts });
const maxTokens = 1000;

/** About the instance itself: its version, its one user, and that user's access tokens. */
export function instanceRoutes(app: FastifyInstance, world: World): void {
  const about = { version, revision: "embedded" };
  app.get("/version", needs(world, "read_api"), async () => about);
  app.get("/metadata", needs(world, "read_api"), async () => ({
    ...about,
    kas: { enabled: false, externalUrl: null, version: null },
    enterprise: false,
  }));
  app.get("/user", needs(world, "read_api"), async () => ({ ...userEntity(world.url()), email: administrator.email, is_admin: true }));

  app.get("/personal_access_tokens", needs(world, "read_api"), async () => world.tokens.all().map(tokenEntity));
  app.get("/personal_access_tokens/self", async (request) => tokenEntity(ownToken(world, request)));
  app.post(`/users/${administrator.id}/personal_access_tokens`, needs(world), async (request, reply) => {
    const asked = parametersOf(newToken, request);
    const scopes = tokenScopes.filter((scope) => asked.scopes.includes(scope));
    if (scopes.length === 0 || scopes.length !== new Set(asked.scopes).size) throw badParameter("scopes does not have a valid value");
    if (world.tokens.all().length >= maxTokens) throw badParameter("too many access tokens");
    const { token, record } = world.tokens.add(asked.name, scopes);
    return reply.code(201).send({ ...tokenEntity(record), token });
  });
  app.delete("/personal_access_tokens/:token_id", needs(world), async (request, reply) => {
    if (!world.tokens.revoke(tokenIdOf(request))) throw notFound("Personal Access Token");
    return reply.code(204).send();
  });
}

const tokenEntity = (token: AccessToken) => ({
  id: token.id,
  name: token.name,
  revoked: false,
  created_at: isoTime(token.createdAt),
  scopes: token.scopes,
  user_id: administrator.id,
  active: true,
  expires_at: null,
});
