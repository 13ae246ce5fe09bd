import type { Clock, Random } from "../../model/clock.js";
import type { Connection } from "../../model/connection.js";
import { FireRunnerError } from "../../model/errors.js";
import { Budget, type Urgency } from "./budget.js";
import type { CallBounds } from "./calls.js";
import type { HttpAnswer, NoAnswer } from "./exchange.js";
import type { ForgeLimits } from "./limits.js";

/** How a request ended: `limited` is GitLab's 429, `refused` any other 4xx, `failed` what is neither that nor a success. */
export type RequestOutcome = "ok" | "limited" | "refused" | "failed" | "unanswered";

/** The requests of each credential, whichever connections use it. */
export interface CredentialLanes {
  /**
   * Waits until the credential may send one more request, then sends it. Rejects with `FR-FORGE-RATE-LIMITED` as soon as it
   * is known that it may not within the call's time, and with the signal's reason when that ends while all places are taken.
   */
  run(connection: Connection, bounds: CallBounds, send: () => Promise<HttpAnswer | NoAnswer>): Promise<HttpAnswer | NoAnswer>;
  /** How many requests each connection may still make at this moment, where that is known. */
  budgets(): readonly { readonly connection: string; readonly left: number }[];
}

interface Waiting {
  readonly connection: Connection;
  readonly bounds: CallBounds;
  readonly admit: (place: Place) => void;
  readonly refuse: (error: FireRunnerError) => void;
}

/** A place that was taken: whether it is the one that finds out if a stop is over, and how many stops there had been. */
interface Place {
  readonly isProbe: boolean;
  readonly stops: number;
}

interface Lane {
  readonly budget: Budget;
  readonly connections: Map<string, number | undefined>;
  readonly waiting: Readonly<Record<Urgency, Set<Waiting>>>;
  busy: number;
  admitted: number;
  /** Counts the times at which it was told to stop. While `isSuspect`, one request at a time finds out whether that is over. */
  stops: number;
  isSuspect: boolean;
  probes: number;
  cancelTimer: () => void;
}

/** While both wait, every so many places one goes to the background: whoever is always busy must not forget to look. */
const placesPerBackground = 8;
/** More credentials and connections than anybody declares. */
const maxRemembered = 1_000;
/** How soon to come back when it is not known how long a stop lasts. */
const unknownWaitMs = 1_000;

export function createCredentialLanes(
  clock: Clock,
  random: Pick<Random, "next">,
  limits: Pick<ForgeLimits, "concurrency" | "queue">,
  onRequest: (connection: string, outcome: RequestOutcome) => void,
): CredentialLanes {
  const lanes = new Map<string, Lane>();
  /** Each connection's lane: it changes with its url and token. */
  const lastLanes = new Map<string, Lane>();

  function laneOf({ url, token, name, maxRequestsPerMinute }: Connection): Lane {
    const key = `${url}\n${token}`;
    let lane = lanes.get(key);
    if (lane === undefined) {
      if (lanes.size >= maxRemembered) for (const [old, idle] of lanes) if (isIdle(idle, clock.now())) lanes.delete(old);
      lane = newLane(new Budget(() => random.next()));
      lanes.set(key, lane);
    }
    const lastLane = lastLanes.get(name);
    if (lastLane !== lane) {
      lastLane?.connections.delete(name);
      if (lastLanes.size >= maxRemembered) lastLanes.clear();
      lastLanes.set(name, lane);
    }
    lane.connections.set(name, maxRequestsPerMinute);
    return lane;
  }

  const waitMs = ({ budget }: Lane, { connection, bounds }: Pick<Waiting, "connection" | "bounds">, ahead: number): number =>
    budget.waitMs(bounds.urgency, connection.maxRequestsPerMinute, ahead, clock.now());

  /** The next one whose turn it is, or how long nobody's is. */
  function nextOf(lane: Lane): Waiting | number {
    const [hot] = lane.waiting.hot;
    const [background] = lane.waiting.background;
    const order = lane.admitted % placesPerBackground === placesPerBackground - 1 ? [background, hot] : [hot, background];
    let shortest = Number.POSITIVE_INFINITY;
    for (const candidate of order) {
      if (candidate === undefined) continue;
      const ms = waitMs(lane, candidate, 0);
      if (ms <= 0) return candidate;
      shortest = Math.min(shortest, ms);
    }
    return shortest;
  }

  /** Hands out places for as long as somebody may have one, and comes back when somebody will. */
  function pump(lane: Lane): void {
    lane.cancelTimer();
    lane.cancelTimer = () => {};
    while (lane.busy < limits.concurrency && !(lane.isSuspect && lane.probes > 0)) {
      const next = nextOf(lane);
      if (typeof next === "number") {
        if (Number.isFinite(next)) lane.cancelTimer = clock.after(next, () => pump(lane));
        return;
      }
      lane.waiting[next.bounds.urgency].delete(next);
      next.admit(take(lane));
    }
  }

  /** Those who would wait for longer than their call lasts are told at once. */
  function refuseHopeless(lane: Lane): void {
    for (const urgency of ["hot", "background"] as const) {
      let ahead = 0;
      for (const waiting of lane.waiting[urgency]) {
        const ms = waitMs(lane, waiting, ahead);
        ahead += 1;
        if (ms > 0 && ms >= waiting.bounds.remainingMs()) waiting.refuse(limitedError(waiting.connection, ms));
      }
    }
  }

  function take(lane: Lane): Place {
    lane.busy += 1;
    lane.admitted += 1;
    if (lane.isSuspect) lane.probes += 1;
    lane.budget.spend(clock.now());
    return { isProbe: lane.isSuspect, stops: lane.stops };
  }

  /** Resolves when a place is free and the budget allows a request; the place is taken then. */
  async function enter(lane: Lane, connection: Connection, bounds: CallBounds): Promise<Place> {
    if (bounds.signal.aborted) throw bounds.signal.reason;
    const { hot, background } = lane.waiting;
    if (hot.size + background.size >= limits.queue) throw fullError(connection, limits.queue);
    const ms = waitMs(lane, { connection, bounds }, lane.waiting[bounds.urgency].size);
    if (ms > 0 && ms >= bounds.remainingMs()) throw limitedError(connection, ms);
    return new Promise((resolve, reject) => {
      const leave = () => {
        lane.waiting[bounds.urgency].delete(waiting);
        bounds.signal.removeEventListener("abort", aborted);
      };
      const refuse = (error: unknown) => {
        leave();
        reject(error);
      };
      const aborted = () => {
        const isLimited = lane.isSuspect || waitMs(lane, waiting, 0) > 0;
        refuse(
          bounds.remainingMs() === 0 && isLimited
            ? limitedError(connection, waitMs(lane, waiting, 0) || unknownWaitMs)
            : bounds.signal.reason,
        );
      };
      const admit = (place: Place) => {
        leave();
        resolve(place);
      };
      const waiting: Waiting = { connection, bounds, admit, refuse };
      lane.waiting[bounds.urgency].add(waiting);
      bounds.signal.addEventListener("abort", aborted, { once: true });
      pump(lane);
    });
  }

  function noteAnswer(lane: Lane, outcome: HttpAnswer | NoAnswer | undefined, stopsBefore: number): void {
    const isOfNow = stopsBefore === lane.stops;
    if (outcome !== undefined && "status" in outcome) lane.budget.heed(outcome, clock.now());
    if (outcome !== undefined && "status" in outcome && outcome.status === 429) {
      // Those that were on their way when the first was told are not told anything new.
      if (isOfNow) lane.stops += 1;
      lane.isSuspect = true;
      refuseHopeless(lane);
    } else if (isOfNow) lane.isSuspect = false;
  }

  return {
    async run(connection, bounds, send) {
      const lane = laneOf(connection);
      const { isProbe, stops } = await enter(lane, connection, bounds);
      let outcome: HttpAnswer | NoAnswer | undefined;
      try {
        outcome = await send();
        return outcome;
      } finally {
        lane.busy -= 1;
        if (isProbe) lane.probes -= 1;
        onRequest(connection.name, outcomeOf(outcome));
        noteAnswer(lane, outcome, stops);
        pump(lane);
      }
    },
    budgets() {
      const now = clock.now();
      return [...lanes.values()].flatMap(({ budget, connections }) =>
        [...connections].flatMap(([connection, declared]) => {
          const left = budget.left(declared, now);
          return left === undefined ? [] : [{ connection, left }];
        }),
      );
    },
  };
}

function newLane(budget: Budget): Lane {
  const waiting = { hot: new Set<Waiting>(), background: new Set<Waiting>() };
  return { budget, connections: new Map(), waiting, busy: 0, admitted: 0, stops: 0, isSuspect: false, probes: 0, cancelTimer: () => {} };
}

const isIdle = ({ budget, busy, waiting }: Lane, now: number): boolean =>
  busy + waiting.hot.size + waiting.background.size === 0 && budget.isIdle(now);

function outcomeOf(outcome: HttpAnswer | NoAnswer | undefined): RequestOutcome {
  if (outcome === undefined || !("status" in outcome)) return "unanswered";
  const { status } = outcome;
  if (status >= 200 && status < 300) return "ok";
  if (status === 429) return "limited";
  return status >= 400 && status < 500 ? "refused" : "failed";
}

function limitedError({ name, url, token }: Connection, waitMs: number): FireRunnerError {
  return new FireRunnerError(
    "FR-FORGE-RATE-LIMITED",
    `connection "${name}" (${url}): the token ${token} has made as many requests as it may; the next one is sent in ${Math.ceil(waitMs / 1000)} s`,
    { retryable: true, retryAfterMs: waitMs, details: { connection: name, sent: false } },
  );
}

function fullError({ name, url }: Connection, queue: number): FireRunnerError {
  return new FireRunnerError(
    "FR-FORGE-UNREACHABLE",
    `connection "${name}" (${url}): ${queue} requests wait already; the forge answers too slowly`,
    {
      retryable: true,
      details: { connection: name, sent: false },
    },
  );
}
