import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Event } from "../../model/event.js";
import { parseOrRefuse } from "../../model/validation.js";
import type { EventQuery, Store } from "../../store/port.js";
import { pageOf, pageQuery } from "../page.js";

/** How events and conditions are looked for. */
export const eventQuery = z.strictObject({
  limit: pageQuery.limit,
  /** The `seq` of the last event that the caller has seen. */
  after: z.coerce.number().int().nonnegative().default(0),
  subject: z
    .string()
    .max(512)
    .regex(/^[^/]+\/.+$/, "must be KIND/NAME, for example microvm/vm-abc")
    .optional(),
  traceId: z
    .string()
    .regex(/^[0-9a-f]{32}$/, "must be 32 hex digits")
    .optional(),
});

export const conditionQuery = z.strictObject({ ...pageQuery, kind: z.string().optional(), name: z.string().optional() });

/** At most this many events are looked through for one answer. */
const maxScanned = 50_000;
const scanStep = 1000;

/** What happened (events, oldest first) and what is true now (conditions). */
export function registerEventRoutes(app: FastifyInstance, { store }: { readonly store: Store }): void {
  app.get("/v1/events", (request) => {
    const { limit, after, subject, traceId } = parseOrRefuse(eventQuery, request.query, "query");
    const base = subject === undefined ? {} : { subject: subjectOf(subject) };
    if (traceId === undefined) {
      const items = store.events({ ...base, after, limit });
      const last = items.at(-1);
      return { items, ...(items.length === limit && last !== undefined ? { next: last.seq } : {}) };
    }
    return traced(store, { ...base, after, limit }, traceId);
  });

  app.get("/v1/conditions", (request) => {
    const query = parseOrRefuse(conditionQuery, request.query, "query");
    return pageOf(
      store.list("condition"),
      query,
      ({ value }) =>
        (query.kind === undefined || value.subject.kind === query.kind) && (query.name === undefined || value.subject.name === query.name),
      ({ value }) => value,
    );
  });
}

/** A job's events are spread over the events of its microVM, its runner and itself: they are found by its trace. */
function traced(store: Store, query: EventQuery, traceId: string): { readonly items: readonly Event[]; readonly next?: number } {
  const items: Event[] = [];
  let after = query.after;
  for (let scanned = 0; scanned < maxScanned; scanned += scanStep) {
    const step = store.events({ ...query, after, limit: scanStep });
    for (const event of step) {
      after = event.seq;
      if (event.traceId === traceId) items.push(event);
      if (items.length === query.limit) return { items, next: after };
    }
    if (step.length < scanStep) return { items };
  }
  return { items, next: after };
}

/** The name of a job has slashes of its own; a kind has none. */
function subjectOf(text: string): { readonly kind: string; readonly name: string } {
  const slash = text.indexOf("/");
  return { kind: text.slice(0, slash), name: text.slice(slash + 1) };
}
