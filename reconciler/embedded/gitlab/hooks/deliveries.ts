import type { Clock, Random } from "../../../model/clock.js";
import type { Dials } from "../dials.js";
import { headersOf, uuid } from "./headers.js";
import { afterDelivery, alertStatus } from "./health.js";
import type { DeliveryRecord, Hook, Hooks } from "./hook.js";
import { createPoster } from "./post.js";
import { createRoad } from "./rough-road.js";

export interface DeliveriesOptions {
  readonly hooks: Hooks;
  readonly clock: Clock;
  readonly random: Random;
  readonly dials: () => Dials["hooks"];
  readonly instance: () => string;
  readonly version: string;
  readonly timeoutMs?: number;
  /** At most so many at a time; a hook's deliveries may therefore overtake each other, as GitLab's do. */
  readonly lanes?: number;
  readonly maxQueue?: number;
}

/** Sends webhooks in the background: once each, whatever comes of it. */
export interface Deliveries {
  /** Queues a delivery, unless the hook is disabled or the queue is full. */
  send(hook: Hook, event: string, body: string): void;
  /** Delivers at once, even to a disabled hook; a repeated delivery keeps its `idempotencyKey`. */
  sendNow(hook: Hook, event: string, body: string, idempotencyKey?: string): Promise<DeliveryRecord>;
  /** Settles when nothing waits and nothing is under way. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

interface Queued {
  readonly projectId: number;
  readonly hookId: number;
  readonly event: string;
  readonly body: string;
}

const keptDeliveries = 50;
const keptBodyLength = 262_144;

export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const { hooks, clock, random, dials, instance, version, timeoutMs = 10_000, lanes = 4, maxQueue = 20_000 } = options;
  const poster = createPoster(clock, timeoutMs);
  const queue: Queued[] = [];
  const underWay = new Set<Promise<unknown>>();
  const road = createRoad<Queued>({ clock, random, dials, arrive: enqueue, maxOnTheWay: maxQueue });
  const waiters: (() => void)[] = [];
  let busyLanes = 0;
  let lastId = 0;
  let stopped = false;

  function settle(): void {
    if (queue.length > 0 || !road.empty() || underWay.size > 0) return;
    for (const done of waiters.splice(0)) done();
  }

  async function deliver(hook: Hook, event: string, body: string, idempotencyKey: string): Promise<DeliveryRecord> {
    const startedAt = clock.now();
    const delivery = { event, body, idempotencyKey, token: hook.token, signingToken: hook.signingToken };
    const headers = headersOf(delivery, instance(), version, startedAt, random);
    const posted = await poster.post(hook.url, headers, body, hook.enableSslVerification);
    const now = clock.now();
    // Redirects are not followed and count as success.
    const delivered = "status" in posted && posted.status >= 200 && posted.status < 400;
    lastId += 1;
    const record: DeliveryRecord = {
      id: lastId,
      event,
      idempotencyKey,
      body: body.length <= keptBodyLength ? body : undefined,
      at: startedAt,
      responseStatus: "status" in posted ? String(posted.status) : "internal error",
      durationS: (now - startedAt) / 1000,
    };
    const current = hooks.find(hook.projectId, hook.id);
    if (current !== undefined && !stopped) {
      const deliveries = [record, ...current.deliveries].slice(0, keptDeliveries);
      hooks.change(hook.id, { health: afterDelivery(current.health, delivered, now), deliveries });
    }
    return record;
  }

  function pump(): void {
    while (busyLanes < lanes && !stopped) {
      const next = queue.shift();
      if (next === undefined) return;
      const hook = hooks.find(next.projectId, next.hookId);
      if (hook === undefined || alertStatus(hook.health, clock.now()) !== "executable") continue;
      busyLanes += 1;
      void track(
        deliver(hook, next.event, next.body, uuid(random)).then(() => {
          busyLanes -= 1;
          pump();
        }),
      );
    }
  }

  function track<T>(work: Promise<T>): Promise<T> {
    underWay.add(work);
    const ended = () => {
      underWay.delete(work);
      settle();
    };
    work.then(ended, ended);
    return work;
  }

  function enqueue(queued: readonly Queued[]): void {
    for (const one of queued) if (queue.length < maxQueue) queue.push(one);
    pump();
    settle();
  }

  return {
    send(hook, event, body) {
      if (stopped || alertStatus(hook.health, clock.now()) !== "executable") return;
      road.send({ projectId: hook.projectId, hookId: hook.id, event, body });
    },
    sendNow: (hook, event, body, idempotencyKey) => track(deliver(hook, event, body, idempotencyKey ?? uuid(random))),
    idle: () =>
      new Promise((resolve) => {
        waiters.push(resolve);
        settle();
      }),
    async stop() {
      stopped = true;
      queue.length = 0;
      road.stop();
      poster.stop();
      await Promise.allSettled([...underWay]);
      for (const done of waiters.splice(0)) done();
    },
  };
}
