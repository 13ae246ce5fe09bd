import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { bootStagesOf } from "../../model/boot-stages.js";
import { FireRunnerError } from "../../model/errors.js";
import type { Identity } from "../../model/identity.js";
import { phaseSchema } from "../../model/microvm.js";
import { parseOrRefuse } from "../../model/validation.js";
import type { Store } from "../../store/port.js";
import { pageOf, pageQuery } from "../page.js";

/** How microVMs, and the runners that were made for them, are looked for. */
export const microvmQuery = z.strictObject({
  ...pageQuery,
  pool: z.string().optional(),
  connection: z.string().optional(),
  host: z.string().optional(),
  phase: phaseSchema.optional(),
});

export const identityQuery = z.strictObject({ ...pageQuery, connection: z.string().optional() });

/** Reads of microVMs and of the runners that were made for them. A runner's token is shown in no form. */
export function registerMicrovmRoutes(app: FastifyInstance, { store }: { readonly store: Store }): void {
  app.get("/v1/microvms", (request) => {
    const query = parseOrRefuse(microvmQuery, request.query, "query");
    return pageOf(
      store.list("microvm"),
      query,
      ({ value }) =>
        (query.pool === undefined || value.pool === query.pool) &&
        (query.connection === undefined || value.connection === query.connection) &&
        (query.host === undefined || value.host === query.host) &&
        (query.phase === undefined || value.phase === query.phase),
      ({ value }) => value,
    );
  });

  app.get<{ Params: { name: string } }>("/v1/microvms/:name", (request) => {
    const stored = store.get("microvm", request.params.name);
    if (stored === undefined) throw new FireRunnerError("FR-NOT-FOUND", `no microVM is called ${JSON.stringify(request.params.name)}`);
    const report = store.get("guestReport", request.params.name)?.value;
    return report === undefined ? stored.value : { ...stored.value, boot: bootStagesOf(stored.value, report) };
  });

  app.get("/v1/identities", (request) => {
    const query = parseOrRefuse(identityQuery, request.query, "query");
    return pageOf(
      store.list("identity"),
      query,
      ({ value }) => query.connection === undefined || value.connection === query.connection,
      ({ value }) => withoutToken(value),
    );
  });
}

function withoutToken({ sealedToken, ...identity }: Identity): Omit<Identity, "sealedToken"> & { readonly tokenHeld: boolean } {
  return { ...identity, tokenHeld: sealedToken !== undefined };
}
