import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { DeadLetter } from "../../model/dead-letter.js";
import { FireRunnerError } from "../../model/errors.js";
import { parseOrRefuse } from "../../model/validation.js";
import type { Store } from "../../store/port.js";
import { pageOf, pageQuery } from "../page.js";
import { whoAsks } from "../who-asks.js";

/** How dead letters are looked for. */
export const letterQuery = z.strictObject({ ...pageQuery, action: z.string().optional() });
const nothing = z.strictObject({}).default({});

/** How often it is asked again when the leader writes the letter meanwhile. */
const maxAttempts = 5;

export interface DeadLetterDependencies {
  readonly store: Store;
  readonly clock: { now(): number };
}

/**
 * `GET /v1/dead-letters` and one of them by its key; `POST /v1/dead-letters/:key/retry` and `DELETE /v1/dead-letters/:key` write
 * down what is asked, answer 202 with the letter, and whoever leads does it.
 */
export function registerDeadLetterRoutes(app: FastifyInstance, { store, clock }: DeadLetterDependencies): void {
  app.get("/v1/dead-letters", (request) => {
    const query = parseOrRefuse(letterQuery, request.query, "query");
    return pageOf(
      store.list("deadLetter"),
      query,
      ({ value }) => query.action === undefined || value.action === query.action,
      ({ key, value }) => ({ key, ...value }),
    );
  });

  app.get<{ Params: { key: string } }>("/v1/dead-letters/:key", (request) => {
    const { key } = request.params;
    return { key, ...letterOf(store, key).value };
  });

  app.post<{ Params: { key: string } }>("/v1/dead-letters/:key/retry", async (request, reply) => {
    parseOrRefuse(nothing, request.body ?? undefined, "retry");
    return reply.code(202).send(await ask(request.params.key, "retry", whoAsks(request)));
  });

  app.delete<{ Params: { key: string } }>("/v1/dead-letters/:key", async (request, reply) =>
    reply.code(202).send(await ask(request.params.key, "drop", whoAsks(request))),
  );

  async function ask(key: string, what: "retry" | "drop", by: string): Promise<DeadLetter & { readonly key: string }> {
    for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
      const { value, revision } = letterOf(store, key);
      refuseUnlessPossible(key, value, what);
      const at = clock.now();
      const asked: DeadLetter = { ...value, asked: { what, by, at } };
      const type = what === "retry" ? "DeadLetterRetried" : "DeadLetterDropped";
      const { outcome } = await store.commit({
        writes: [{ kind: "deadLetter", key, value: asked, expect: revision }],
        events: [{ at, type, subject: { kind: "deadLetter", name: key }, message: `by ${by}` }],
      });
      if (outcome === "committed") return { key, ...asked };
    }
    throw new FireRunnerError("FR-CONFLICT", `dead letter "${key}" was written again and again meanwhile; repeat`, { retryable: true });
  }
}

function letterOf(store: Pick<Store, "get">, key: string) {
  const stored = store.get("deadLetter", key);
  if (stored === undefined) throw new FireRunnerError("FR-NOT-FOUND", `no dead letter is called ${JSON.stringify(key)}`);
  return stored;
}

function refuseUnlessPossible(key: string, { tried }: DeadLetter, what: "retry" | "drop"): void {
  if (what === "retry" && tried === "never") {
    throw new FireRunnerError("FR-INVALID", `dead letter "${key}": retry is refused: there is nothing to try again; it can be dropped`);
  }
  if (what === "drop" && tried === "slowly") {
    throw new FireRunnerError(
      "FR-INVALID",
      `dead letter "${key}": drop is refused: given up, it would leave something behind; it can be retried, and it goes by itself once it succeeds or what it is about is gone`,
    );
  }
}
