import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { userEntity } from "../entities/user.js";
import { callerOf, needs } from "../http/access.js";
import { page } from "../http/paging.js";
import { flag, parametersOf } from "../http/parameters.js";
import { badRequest, notFound } from "../http/refusal.js";
import { version, type World } from "../world.js";
import { adminOnly, idOf } from "./lookups.js";

const newUser = z.object({
  username: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/),
  name: z.string().min(1).max(255),
  email: z.string().min(3).max(255),
  admin: flag.default(false),
});
const maxUsers = 1000;

/** About the instance itself: its version, and its users. */
export function instanceRoutes(app: FastifyInstance, world: World): void {
  const { users } = world;
  const about = { version, revision: "embedded" };
  const reading = needs(world, "read_api", "read_user");
  app.get("/version", reading, async () => about);
  app.get("/metadata", reading, async () => ({
    ...about,
    kas: { enabled: false, externalUrl: null, externalK8sProxyUrl: null, version: null },
    enterprise: false,
  }));
  app.get("/user", reading, async (request) => {
    const { user } = callerOf(world, request);
    return { ...userEntity(world.url(), user), email: user.email, bot: user.bot, ...(user.admin ? { is_admin: true } : {}) };
  });
  app.get("/users", reading, async (request, reply) => {
    callerOf(world, request);
    return page(request, reply, users.all().toReversed(), world.url()).map((user) => userEntity(world.url(), user));
  });
  app.get("/users/:id", reading, async (request) => {
    const user = users.find(idOf(request, "id"));
    if (user === undefined) throw notFound("User");
    return userEntity(world.url(), user);
  });
  app.post("/users", needs(world), async (request, reply) => {
    adminOnly(world, request);
    const asked = parametersOf(newUser, request);
    if (users.all().some(({ username }) => username === asked.username)) throw badRequest({ username: ["has already been taken"] });
    if (users.all().length >= maxUsers) throw badRequest("Too many users");
    const user = users.add({ ...asked, bot: false });
    return reply.code(201).send({ ...userEntity(world.url(), user), email: user.email, is_admin: user.admin });
  });
}
