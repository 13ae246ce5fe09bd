import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { needs } from "../http/access.js";
import { page } from "../http/paging.js";
import { parametersOf } from "../http/parameters.js";
import { notFound, Refusal } from "../http/refusal.js";
import { roles } from "../records/members.js";
import type { ProtectedRef, RefKind } from "../records/protected-refs.js";
import type { World } from "../world.js";
import { pathPart, projectOf } from "./lookups.js";

const newRef = z.object({ name: z.string().min(1).max(255) });
const maintainers = { id: 1, access_level: roles.maintainer, access_level_description: "Maintainers", user_id: null, group_id: null };

/** `/projects/:id/protected_branches` and `/protected_tags`. Uncertain: which role may read them; Maintainer is what both take. */
export function protectedRefRoutes(app: FastifyInstance, world: World): void {
  const { protectedRefs } = world;
  const show = ({ id, kind, name }: ProtectedRef) =>
    kind === "tags"
      ? { name, create_access_levels: [maintainers] }
      : {
          id,
          name,
          push_access_levels: [maintainers],
          merge_access_levels: [maintainers],
          allow_force_push: false,
          code_owner_approval_required: false,
        };

  function refsAt(kind: RefKind, noun: string): void {
    const path = `/projects/:id/protected_${kind}`;
    const idOfProject = (request: FastifyRequest) => projectOf(world, request, roles.maintainer).id;
    const find = (request: FastifyRequest) => {
      const projectId = idOfProject(request);
      const ref = protectedRefs.find(projectId, kind, pathPart(request, "name"));
      if (ref === undefined) throw notFound();
      return { projectId, ref };
    };
    app.get(path, needs(world, "read_api"), async (request, reply) =>
      page(request, reply, protectedRefs.of(idOfProject(request), kind), world.url()).map(show),
    );
    app.get(`${path}/:name`, needs(world, "read_api"), async (request) => show(find(request).ref));
    app.post(path, needs(world), async (request, reply) => {
      const projectId = idOfProject(request);
      const { name } = parametersOf(newRef, request);
      if (protectedRefs.find(projectId, kind, name) !== undefined) {
        const message = kind === "branches" ? `Protected ${noun} '${name}' already exists` : ["Name has already been taken"];
        throw new Refusal(kind === "branches" ? 409 : 422, { message });
      }
      return reply.code(201).send(show(protectedRefs.add(projectId, kind, name)));
    });
    app.delete(`${path}/:name`, needs(world), async (request, reply) => {
      const { projectId, ref } = find(request);
      protectedRefs.remove(projectId, kind, ref.name);
      return reply.code(204).send();
    });
  }
  refsAt("branches", "branch");
  refsAt("tags", "tag");
}
