import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parseOrRefuse } from "../../model/validation.js";
import type { Store } from "../../store/port.js";
import { fleetLists } from "../declarations.js";
import { type OperatedKind, type Operations, operationsOf, verbs } from "../operations.js";
import { whoAsks } from "../who-asks.js";

/** Longer than any job may run. */
const longestDeadlineS = 30 * 86_400;

/** The bodies of the verbs that take one; none need be sent. */
export const operationBodies = {
  drain: z.strictObject({ deadlineS: z.int("must be whole seconds").nonnegative("must be 0 or more").max(longestDeadlineS).optional() }),
  forget: z.strictObject({ force: z.boolean().optional() }),
} as const;

type Body = z.ZodType<{ readonly deadlineS?: number | undefined; readonly force?: boolean | undefined }>;
const bodies: Readonly<Record<string, Body>> = operationBodies;
const nothingElse = z.strictObject({});

export interface OperationDependencies {
  readonly store: Store;
  readonly clock: { now(): number };
  readonly operations: Operations;
}

/**
 * `POST /v1/hosts/:name/{cordon,uncordon,drain,forget}` and `POST /v1/pools/:name/{pause,resume}`: answers what holds of
 * the record then, as `{operations}`. No declared record and no generation is touched.
 */
export function registerOperationRoutes(app: FastifyInstance, { store, clock, operations }: OperationDependencies): void {
  for (const kind of Object.keys(verbs) as OperatedKind[]) {
    for (const verb of Object.keys(verbs[kind])) {
      app.post<{ Params: { name: string } }>(`/v1/${fleetLists[kind]}/:name/${verb}`, async (request) => {
        const { name } = request.params;
        const body = parseOrRefuse(bodies[verb] ?? nothingElse, request.body ?? {}, verb);
        await operations.tell(kind, name, verb, { ...body, by: whoAsks(request) });
        return { operations: operationsOf(store, kind, name, clock.now()) };
      });
    }
  }
}
