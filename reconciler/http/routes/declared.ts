import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { type Declared, type DeclaredKind, declaredKinds, type Spec } from "../../model/declared.js";
import { FireRunnerError } from "../../model/errors.js";
import { managedBySchema, nameSchema } from "../../model/fields.js";
import type { Operation } from "../../model/front-door.js";
import { parseOrRefuse } from "../../model/validation.js";
import type { Store } from "../../store/port.js";
import { type Declarations, fleetLists } from "../declarations.js";
import { operationsOf } from "../operations.js";
import { whenUsedValues } from "../removals.js";

/** What may be said with a PUT, and with a DELETE. */
export const putQuery = z.strictObject({ managedBy: managedBySchema.optional() });
export const deleteQuery = z.strictObject({ whenUsed: z.enum(whenUsedValues).optional() });

export interface DeclaredDependencies {
  readonly store: Store;
  readonly declarations: Declarations;
  readonly clock: { now(): number };
}

/**
 * GET, PUT and DELETE of hosts, images, connections and pools. The generation is the `ETag`; `If-Match` asks for it.
 * `PUT ?managedBy=` says who declares; `DELETE ?whenUsed=drain` answers 202 for as long as something uses the record.
 * What operators said of a host or pool is told with it, as `operations`.
 */
export function registerDeclaredRoutes(app: FastifyInstance, { store, declarations, clock }: DeclaredDependencies): void {
  const shown = (kind: DeclaredKind, record: Declared<Spec>): Shown =>
    kind === "host" || kind === "pool" ? { ...record, operations: operationsOf(store, kind, record.spec.name, clock.now()) } : record;

  for (const kind of declaredKinds) {
    const list = `/v1/${fleetLists[kind]}`;

    app.get(list, () => ({
      items: store
        .list(kind)
        .map(({ value }) => value)
        .toSorted((a, b) => a.order - b.order)
        .map((record) => shown(kind, record)),
    }));

    app.get<{ Params: { name: string } }>(`${list}/:name`, (request, reply) => {
      const stored = store.get(kind, request.params.name);
      if (stored === undefined) throw new FireRunnerError("FR-NOT-FOUND", `no ${kind} is called ${JSON.stringify(request.params.name)}`);
      return answer(reply, shown(kind, stored.value));
    });

    app.put<{ Params: { name: string } }>(`${list}/:name`, async (request, reply) => {
      const name = nameOf(request, kind);
      const { managedBy } = parseOrRefuse(putQuery, request.query, "query");
      const { outcome, record } = await declarations.put(kind, name, request.body, { ifGeneration: expected(request), managedBy });
      return answer(reply.code(outcome === "created" ? 201 : 200), shown(kind, record));
    });

    app.delete<{ Params: { name: string } }>(`${list}/:name`, async (request, reply) => {
      const { whenUsed } = parseOrRefuse(deleteQuery, request.query, "query");
      const { usedBy } = await declarations.remove(kind, request.params.name, { ifGeneration: expected(request), whenUsed });
      return usedBy.length === 0 ? reply.code(204).send() : reply.code(202).send({ usedBy });
    });
  }
}

type Shown = Declared<Spec> & { readonly operations?: readonly Operation[] };

const answer = (reply: FastifyReply, record: Shown): FastifyReply => reply.header("etag", `"${record.generation}"`).send(record);

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
