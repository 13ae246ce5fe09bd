import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Declared, type DeclaredKind, declaredKinds, type Spec } from "../../model/declared.js";
import { FireRunnerError } from "../../model/errors.js";
import { nameSchema } from "../../model/fields.js";
import { parseOrRefuse } from "../../model/validation.js";
import type { Store } from "../../store/port.js";
import { type Declarations, fleetLists } from "../declarations.js";

export interface DeclaredDependencies {
  readonly store: Store;
  readonly declarations: Declarations;
}

/** GET, PUT and DELETE of hosts, images, connections and pools. The generation is the `ETag`; `If-Match` asks for it. */
export function registerDeclaredRoutes(app: FastifyInstance, { store, declarations }: DeclaredDependencies): void {
  for (const kind of declaredKinds) {
    const list = `/v1/${fleetLists[kind]}`;

    app.get(list, () => ({
      items: store
        .list(kind)
        .map(({ value }) => value)
        .toSorted((a, b) => a.order - b.order),
    }));

    app.get<{ Params: { name: string } }>(`${list}/:name`, (request, reply) => {
      const stored = store.get(kind, request.params.name);
      if (stored === undefined) throw new FireRunnerError("FR-NOT-FOUND", `no ${kind} is called ${JSON.stringify(request.params.name)}`);
      return answer(reply, stored.value);
    });

    app.put<{ Params: { name: string } }>(`${list}/:name`, async (request, reply) => {
      const name = nameOf(request, kind);
      const { outcome, record } = await declarations.put(kind, name, request.body, expected(request));
      return answer(reply.code(outcome === "created" ? 201 : 200), record);
    });

    app.delete<{ Params: { name: string } }>(`${list}/:name`, async (request, reply) => {
      await declarations.remove(kind, request.params.name, expected(request));
      return reply.code(204).send();
    });
  }
}

const answer = (reply: FastifyReply, record: Declared<Spec>): FastifyReply => reply.header("etag", `"${record.generation}"`).send(record);

function nameOf(request: FastifyRequest<{ Params: { name: string } }>, kind: DeclaredKind): string {
  return parseOrRefuse(nameSchema, request.params.name, `the ${kind}'s name in the address`);
}

/** The generation that the caller expects: `If-Match: "3"`, or 0 for `If-None-Match: *`. */
function expected(request: FastifyRequest): number | undefined {
  if (request.headers["if-none-match"] === "*") return 0;
  const header = request.headers["if-match"];
  if (header === undefined) return undefined;
  const [, generation] = /^"?(\d{1,15})"?$/.exec(header) ?? [];
  if (generation === undefined) {
    throw new FireRunnerError("FR-INVALID", `If-Match: ${JSON.stringify(header)} is refused: must be a generation, for example "3"`);
  }
  return Number(generation);
}
