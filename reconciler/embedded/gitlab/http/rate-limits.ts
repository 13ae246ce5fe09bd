import { createHash } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { sentToken } from "../runner-api/credentials.js";
import type { World } from "../world.js";
import { accessTokenOf } from "./access.js";
import { Refusal, tooManyRequests } from "./refusal.js";

interface Rate {
  readonly requests: number;
  readonly periodS: number;
}

interface Counted extends Rate {
  /** This request included. */
  readonly observed: number;
  readonly resetAtS: number;
  readonly retryAfterS: number;
}

const maxCounters = 10_000;

/** Refuses requests beyond the rates that the dials set. Periods begin with the clock's own, as GitLab's do. */
export function addRateLimits(app: FastifyInstance, world: World): void {
  const counters = new Map<string, { readonly period: number; readonly count: number }>();

  function count(key: string, { requests, periodS }: Rate): Counted {
    const nowS = Math.floor(world.clock.now() / 1000);
    const period = Math.floor(nowS / periodS);
    const before = counters.get(key);
    const observed = (before?.period === period ? before.count : 0) + 1;
    if (before === undefined && counters.size >= maxCounters) counters.clear();
    counters.set(key, { period, count: observed });
    const retryAfterS = periodS - (nowS % periodS);
    return { requests, periodS, observed, retryAfterS, resetAtS: nowS + retryAfterS };
  }

  // Runners send their token in the body, so this comes after reading it.
  app.addHook("preHandler", async (request, reply) => {
    const { perToken, endpoints } = world.dials().rateLimits;
    if (perToken === undefined && endpoints.length === 0) return;
    const sent = accessTokenOf(request) ?? sentToken(request);
    const caller = createHash("sha256").update(sent).digest("hex");
    if (perToken !== undefined) {
      const counted = count(caller, perToken);
      const headers = rateHeaders("throttle_authenticated_api", counted);
      void reply.headers(headers);
      if (counted.observed > counted.requests) {
        const refused = { ...headers, "retry-after": String(counted.retryAfterS), "content-type": "text/plain" };
        throw new Refusal(429, "Retry later\n", refused);
      }
    }
    const call = `${request.method} ${request.url.replace(/\?.*$/s, "")}`;
    for (const [index, endpoint] of endpoints.entries()) {
      if (!new RegExp(endpoint.path).test(call)) continue;
      const counted = count(`${index} ${caller}`, endpoint);
      if (counted.observed <= counted.requests) continue;
      // Uncertain: whether GitLab tells these headers for the limits of single endpoints too.
      const headers = { ...rateHeaders("throttle_endpoint", counted), "retry-after": String(counted.retryAfterS) };
      throw tooManyRequests(headers);
    }
  });
}

function rateHeaders(name: string, { requests, periodS, observed, resetAtS }: Counted): Readonly<Record<string, string>> {
  return {
    "ratelimit-name": name,
    // Told as a rate a minute, whatever the period.
    "ratelimit-limit": String(Math.ceil((requests * 60) / periodS)),
    "ratelimit-observed": String(observed),
    "ratelimit-remaining": String(Math.max(0, requests - observed)),
    "ratelimit-reset": String(resetAtS),
    "ratelimit-resettime": new Date(resetAtS * 1000).toUTCString(),
  };
}
