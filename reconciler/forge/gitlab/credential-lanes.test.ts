import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Connection, connectionSchema } from "../../model/connection.js";
import { ManualClock } from "../../model/manual-clock.fixture.js";
import type { Urgency } from "./budget.js";
import { createCredentialLanes, type RequestOutcome } from "./credential-lanes.js";
import { type HttpAnswer, NoAnswer } from "./exchange.js";

const answerOf = (status: number, headers: Readonly<Record<string, string>> = {}): HttpAnswer => ({
  status,
  headers,
  text: "",
  leftOutBytes: 0,
});

const aConnection = (rest: Partial<Connection> = {}): Connection => ({
  ...connectionSchema.parse({
    name: "harbour",
    kind: "gitlab",
    url: "https://gitlab.example.com",
    token: "env:TOKEN",
    scope: { projectId: 380 },
  }),
  ...rest,
});

/** Lanes before a GitLab that answers at once, and what was asked of them. */
function world({ concurrency = 24, queue = 4_096 } = {}) {
  const clock = new ManualClock();
  const sentAt: number[] = [];
  const outcomes: RequestOutcome[] = [];
  const lanes = createCredentialLanes(clock, { next: () => 0.5 }, { concurrency, queue }, (_name, outcome) => void outcomes.push(outcome));
  const gitlab: { answer: () => HttpAnswer | NoAnswer | Promise<HttpAnswer> } = { answer: () => answerOf(200) };
  function ask(urgency: Urgency = "hot", { connection = aConnection(), callMs = 14_000 } = {}): Promise<HttpAnswer | NoAnswer> {
    const controller = new AbortController();
    const deadline = clock.now() + callMs;
    const cancel = clock.after(callMs, () => controller.abort(new Error("the call's time is over")));
    const bounds = { signal: controller.signal, urgency, remainingMs: () => Math.max(0, deadline - clock.now()) };
    return lanes
      .run(connection, bounds, async () => {
        sentAt.push(clock.now());
        return gitlab.answer();
      })
      .finally(cancel);
  }
  const asks = (count: number, ...rest: Parameters<typeof ask>) => Array.from({ length: count }, () => ask(...rest));
  return { clock, sentAt, outcomes, lanes, gitlab, ask, asks };
}

/** What became of calls: how many were answered, and the errors of the others. */
async function settled(calls: readonly Promise<HttpAnswer | NoAnswer>[]) {
  const all = await Promise.allSettled(calls);
  return {
    answered: all.filter(({ status }) => status === "fulfilled").length,
    errors: all.flatMap((one) => (one.status === "rejected" ? [one.reason] : [])),
  };
}

const limited = (retryAfterMs: unknown) =>
  expect.objectContaining({
    code: "FR-FORGE-RATE-LIMITED",
    retryable: true,
    retryAfterMs,
    details: expect.objectContaining({ sent: false }),
  });

describe("a declared budget", () => {
  it("is one for all connections of a credential; the rest are refused at once, with the time to come back", async () => {
    const { asks, sentAt, lanes } = world();
    const connection = aConnection({ maxRequestsPerMinute: 10 });
    const calls = [...asks(6, "hot", { connection }), ...asks(6, "hot", { connection: { ...connection, name: "quay" } })];
    const { answered, errors } = await settled(calls);
    expect(answered).toBe(10);
    expect(errors).toEqual(Array(2).fill(limited(61_000)));
    expect(sentAt).toHaveLength(10);
    expect(lanes.budgets()).toEqual([
      { connection: "harbour", left: 0 },
      { connection: "quay", left: 0 },
    ]);
  });

  it("is told of under the credential that a connection has now", async () => {
    const { ask, lanes } = world();
    await ask("hot", { connection: aConnection({ maxRequestsPerMinute: 10 }) });
    await ask("hot", { connection: aConnection({ maxRequestsPerMinute: 20, token: "env:OTHER" }) });
    expect(lanes.budgets()).toEqual([{ connection: "harbour", left: 19 }]);
  });

  it("keeps a fifth for what is hot", async () => {
    const { asks } = world();
    const connection = aConnection({ maxRequestsPerMinute: 10 });
    expect((await settled(asks(9, "background", { connection }))).answered).toBe(8);
    expect((await settled(asks(3, "hot", { connection }))).answered).toBe(2);
  });

  it("is waited for where the call lasts long enough", async () => {
    const { asks, ask, clock, sentAt } = world();
    const connection = aConnection({ maxRequestsPerMinute: 5 });
    await Promise.all(asks(5, "hot", { connection }));
    const later = ask("hot", { connection, callMs: 90_000 });
    await clock.advance(60_000);
    expect(sentAt).toHaveLength(5);
    await clock.advance(1_000);
    expect(await later).toMatchObject({ status: 200 });
  });

  it("is never exceeded in any minute, whoever asks when", async () => {
    const steps = fc.array(fc.record({ afterMs: fc.nat(30_000), count: fc.integer({ min: 1, max: 12 }), hot: fc.boolean() }), {
      minLength: 3,
      maxLength: 10,
    });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 15 }), async (bursts, declared) => {
        const { asks, clock, sentAt } = world();
        const connection = aConnection({ maxRequestsPerMinute: declared });
        const calls: Promise<unknown>[] = [];
        for (const { afterMs, count, hot } of bursts) {
          calls.push(settled(asks(count, hot ? "hot" : "background", { connection, callMs: 70_000 })));
          await clock.advance(afterMs);
        }
        await clock.advance(80_000);
        await Promise.all(calls);
        for (const at of sentAt) expect(sentAt.filter((other) => other >= at && other < at + 60_000).length).toBeLessThanOrEqual(declared);
      }),
      { numRuns: 25 },
    );
  });
});

describe("what answers tell of the budget", () => {
  const told = (clock: ManualClock, remaining: number) =>
    answerOf(200, {
      "ratelimit-limit": "100",
      "ratelimit-remaining": String(remaining),
      "ratelimit-reset": String(clock.now() / 1000 + 30),
    });

  it("holds back what is in the background before it holds back what is hot", async () => {
    const { ask, asks, clock, gitlab, lanes } = world();
    gitlab.answer = () => told(clock, 23);
    await ask();
    gitlab.answer = () => answerOf(200);
    expect(await settled(asks(5, "background"))).toEqual({ answered: 3, errors: Array(2).fill(limited(30_000)) });
    expect((await settled(asks(25))).answered).toBe(20);
    expect(lanes.budgets()).toEqual([{ connection: "harbour", left: 0 }]);
    await clock.advance(30_000);
    expect(lanes.budgets()).toEqual([]);
    expect((await settled(asks(40, "background"))).answered).toBe(40);
  });

  it("believes the smallest number, because answers overtake each other", async () => {
    const { ask, clock, gitlab, lanes } = world();
    for (const remaining of [40, 60]) {
      gitlab.answer = () => told(clock, remaining);
      await ask();
    }
    expect(lanes.budgets()).toEqual([{ connection: "harbour", left: 39 }]);
  });

  it("counts for nothing beside what was declared", async () => {
    const { ask, asks, clock, gitlab } = world();
    const connection = aConnection({ maxRequestsPerMinute: 1_000 });
    gitlab.answer = () => told(clock, 0);
    await ask("hot", { connection });
    expect((await settled(asks(20, "background", { connection }))).answered).toBe(20);
  });
});

describe("too many requests", () => {
  const tooMany = (seconds: number) => answerOf(429, { "retry-after": String(seconds) });

  it("stop the whole credential, and no other one", async () => {
    const { ask, asks, gitlab, sentAt } = world();
    gitlab.answer = () => tooMany(60);
    await ask();
    const { answered, errors } = await settled([...asks(100), ...asks(100, "hot", { connection: aConnection({ name: "quay" }) })]);
    expect({ answered, errors }).toEqual({ answered: 0, errors: Array(200).fill(limited(60_000)) });
    expect(sentAt).toHaveLength(1);
    gitlab.answer = () => answerOf(200);
    expect(await ask("hot", { connection: aConnection({ token: "env:OTHER" }) })).toMatchObject({ status: 200 });
  });

  it("refuse those who wait already and would wait in vain", async () => {
    const { ask, asks, clock, gitlab, sentAt } = world({ concurrency: 1 });
    let answer: (answer: HttpAnswer) => void = () => {};
    gitlab.answer = () => new Promise((resolve) => (answer = resolve));
    const first = ask();
    const waiting = settled(asks(50));
    await clock.advance(0);
    answer(tooMany(120));
    await first;
    expect(await waiting).toEqual({ answered: 0, errors: Array(50).fill(limited(120_000)) });
    expect(sentAt).toHaveLength(1);
  });

  it("are found to be over by one request, while the others wait; the background comes a little later", async () => {
    const { ask, asks, clock, gitlab, sentAt } = world();
    gitlab.answer = () => tooMany(5);
    await ask();
    const waiting = [...asks(30), ...asks(30, "background", { callMs: 30_000 })];
    await clock.advance(5_000);
    expect(sentAt).toHaveLength(2);
    gitlab.answer = () => answerOf(200);
    await clock.advance(5_000);
    expect(sentAt).toHaveLength(31);
    await clock.advance(2_500);
    expect((await settled(waiting)).answered).toBe(60);
  });

  it("are borne for ten minutes with a few requests, and work goes on by itself", async () => {
    const { asks, clock, gitlab, sentAt, outcomes } = world();
    gitlab.answer = () => tooMany(20);
    const calls: Promise<unknown>[] = [];
    for (let second = 0; second < 600; second += 4) {
      calls.push(settled([...asks(20), ...asks(5, "background", { callMs: 30_000 })]));
      await clock.advance(4_000);
    }
    // The burst that met it first, and one request after each wish.
    expect(sentAt.length).toBeLessThanOrEqual(24 + 600 / 20 + 1);
    expect(new Set(outcomes)).toEqual(new Set(["limited"]));
    gitlab.answer = () => answerOf(200);
    await clock.advance(30_000);
    expect((await settled(asks(20))).answered).toBe(20);
    await clock.advance(40_000);
    await Promise.all(calls);
  });

  it("without a wish are asked about less and less often", async () => {
    const { ask, clock, gitlab, sentAt } = world();
    gitlab.answer = () => answerOf(429);
    for (let second = 0; second < 300; second += 1) {
      void ask("hot", { callMs: 500 }).catch(() => undefined);
      await clock.advance(1_000);
    }
    expect(sentAt.map((at, index) => at - (sentAt[index - 1] ?? at))).toEqual([
      0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000,
    ]);
  });
});

describe("places", () => {
  it("go to what is hot, and one in eight to the background, so that it is never forgotten", async () => {
    const { asks, gitlab, clock } = world({ concurrency: 1 });
    const order: string[] = [];
    let release: () => void = () => {};
    gitlab.answer = () => new Promise((resolve) => (release = () => resolve(answerOf(200))));
    const calls = [
      ...asks(1),
      ...asks(3, "background").map((call) => call.then(() => order.push("background"))),
      ...asks(20).map((call) => call.then(() => order.push("hot"))),
    ];
    for (let n = 0; n < calls.length; n += 1) {
      await clock.advance(0);
      release();
    }
    await Promise.all(calls);
    expect(order.filter((one) => one === "background")).toHaveLength(3);
    expect(order.indexOf("background")).toBe(6);
    expect(order.lastIndexOf("background")).toBeGreaterThan(18);
  });

  it("are free again after a request that was not answered", async () => {
    const { ask, gitlab, outcomes } = world({ concurrency: 1 });
    gitlab.answer = () => new NoAnswer("gone", true);
    await ask();
    gitlab.answer = () => answerOf(404);
    await ask();
    expect(outcomes).toEqual(["unanswered", "refused"]);
  });
});
