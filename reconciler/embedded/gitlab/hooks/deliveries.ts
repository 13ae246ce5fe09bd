import type { Clock, Random } from "../../../model/clock.js";
import type { Dials } from "../dials.js";
import { headersOf, uuid } from "./headers.js";
import { afterDelivery, alertStatus } from "./health.js";
import type { DeliveryRecord, Hook, Hooks } from "./hook.js";
import { createPoster, type Posted } from "./post.js";
import { createRoad } from "./rough-road.js";
import { renderTemplate } from "./template.js";

export interface DeliveriesOptions {
  readonly hooks: Hooks;
  readonly clock: Clock;
  readonly random: Random;
  readonly dials: () => Dials["hooks"];
  readonly instance: () => string;
  readonly version: string;
  readonly timeoutMs?: number;
  readonly maxQueue?: number;
}

/** Sends webhooks in the background: once each, whatever comes of it. */
export interface Deliveries {
  /** Queues a delivery, unless the hook is disabled or the queue is full. */
  send(hook: Hook, event: string, body: string): void;
  /** Delivers at once, even to a disabled hook; a repeated delivery keeps its `idempotencyKey`. */
  sendNow(hook: Hook, event: string, body: string, idempotencyKey?: string): Promise<DeliveryRecord>;
  /** How many are queued or under way; those that the dials hold back do not count. */
  underWay(): number;
  /** Settles when nothing waits and nothing is under way. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

interface Queued {
  readonly hookId: number;
  readonly event: string;
  readonly body: string;
}

const keptDeliveries = 50;
const keptBodyLength = 262_144;

export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const { hooks, clock, random, dials, instance, version, timeoutMs = 10_000, maxQueue = 20_000 } = options;
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

  /** A template that makes no valid body is a failure like any other: nothing is sent. */
  async function post(hook: Hook, event: string, body: string, idempotencyKey: string): Promise<Posted> {
    const sent = hook.customTemplate === undefined ? body : renderTemplate(hook.customTemplate, body);
    if (sent === undefined) return { failure: "the custom template makes no valid JSON" };
    // The administrator may have switched signatures off since the hook was made.
    const signingToken = dials().signing ? hook.signingToken : undefined;
    const delivery = { event, body: sent, idempotencyKey, token: hook.token, signingToken, customHeaders: hook.customHeaders };
    return poster.post(hook.url, headersOf(delivery, instance(), version, clock.now(), random), sent, hook.enableSslVerification);
  }

  async function deliver(hook: Hook, event: string, body: string, idempotencyKey: string): Promise<DeliveryRecord> {
    const startedAt = clock.now();
    const posted = await post(hook, event, body, idempotencyKey);
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
    const current = hooks.find(hook.id);
    if (current !== undefined && !stopped) {
      const deliveries = [record, ...current.deliveries].slice(0, keptDeliveries);
      // System hooks are never disabled, and on some instances none is.
      const counts = dials().autoDisable && !("instance" in current.owner);
      hooks.change(hook.id, { health: counts ? afterDelivery(current.health, delivered, now) : current.health, deliveries });
    }
    return record;
  }

  function pump(): void {
    while (busyLanes < dials().lanes && !stopped) {
      const next = queue.shift();
      if (next === undefined) return;
      const hook = hooks.find(next.hookId);
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
      if (stopped || dials().silent || alertStatus(hook.health, clock.now()) !== "executable") return;
      road.send({ hookId: hook.id, event, body });
    },
    sendNow: (hook, event, body, idempotencyKey) => track(deliver(hook, event, body, idempotencyKey ?? uuid(random))),
    underWay: () => queue.length + underWay.size,
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
