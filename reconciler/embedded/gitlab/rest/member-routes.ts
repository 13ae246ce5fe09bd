import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { userEntity } from "../entities/user.js";
import { callerOf, needs } from "../http/access.js";
import { page } from "../http/paging.js";
import { parametersOf, wholeNumber } from "../http/parameters.js";
import { badParameter, forbidden, notFound, Refusal } from "../http/refusal.js";
import { isRole, type Membership, type Role, roles } from "../records/members.js";
import type { World } from "../world.js";
import { standingInGroup, standingInProject } from "./abilities.js";
import { groupOf, idOf, projectOf } from "./lookups.js";

const newMember = z.object({ user_id: wholeNumber, access_level: wholeNumber });
const changedMember = z.object({ access_level: wholeNumber });

/** Who has which role in a project or group. */
export function memberRoutes(app: FastifyInstance, world: World): void {
  const { members, users } = world;

  function membersAt(path: string, of: (request: FastifyRequest, least?: Role) => { where: Membership; standing: number }): void {
    const show = (where: Membership, userId: number) => {
      const user = users.find(userId);
      if (user === undefined) throw notFound("Member");
      return {
        ...userEntity(world.url(), user),
        access_level: members.role(where, userId) ?? 0,
        expires_at: null,
        membership_state: "active",
      };
    };
    const roleOf = (level: number, standing: number): Role => {
      if (!isRole(level)) throw badParameter("access_level does not have a valid value");
      if (level > standing) throw forbidden();
      return level;
    };
    app.get(path, needs(world, "read_api"), async (request, reply) => {
      const { where } = of(request);
      const ids = members.of(where).map(({ userId }) => ({ id: userId }));
      return page(request, reply, ids.toReversed(), world.url()).map(({ id }) => show(where, id));
    });
    app.post(path, needs(world), async (request, reply) => {
      const { where, standing } = of(request, roles.maintainer);
      const asked = parametersOf(newMember, request);
      if (users.find(asked.user_id) === undefined) throw notFound("User");
      if (members.role(where, asked.user_id) !== undefined) throw new Refusal(409, { message: "Member already exists" });
      members.set(where, asked.user_id, roleOf(asked.access_level, standing));
      return reply.code(201).send(show(where, asked.user_id));
    });
    app.put(`${path}/:user_id`, needs(world), async (request) => {
      const { where, standing } = of(request, roles.maintainer);
      const userId = idOf(request, "user_id");
      if (members.role(where, userId) === undefined) throw notFound();
      members.set(where, userId, roleOf(parametersOf(changedMember, request).access_level, standing));
      return show(where, userId);
    });
    app.delete(`${path}/:user_id`, needs(world), async (request, reply) => {
      const { where } = of(request, roles.maintainer);
      if (!members.remove(where, idOf(request, "user_id"))) throw notFound();
      return reply.code(204).send();
    });
  }
  membersAt("/projects/:id/members", (request, least) => {
    const project = projectOf(world, request, least);
    return { where: { projectId: project.id }, standing: standingInProject(world, callerOf(world, request).user, project) };
  });
  membersAt("/groups/:id/members", (request, least) => {
    const group = groupOf(world, request, least === undefined ? undefined : roles.owner);
    return { where: { groupId: group.id }, standing: standingInGroup(world, callerOf(world, request).user, group) };
  });
}
