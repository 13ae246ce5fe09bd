import fc from "fast-check";
import { expect, it } from "vitest";
import type { Hint, Operation } from "../model/front-door.js";
import type { CommitResult, Expectation, Store, Write } from "./port.js";
import { event, hint, type StoreWorld, storeWorld } from "./store-world.fixture.js";

export interface StoreModelOptions {
  /** How many random histories are lived through. */
  readonly runs: number;
  readonly open: (world: StoreWorld) => Store | Promise<Store>;
  /** Stops a store and opens what it left; only stores that survive have it. */
  readonly reopen?: (store: Store, world: StoreWorld) => Promise<Store>;
}

type WriteAction = {
  readonly kind: "hint" | "operation";
  readonly key: string;
  readonly value: number | null;
  readonly expect: "absent" | "any" | "current" | "stale";
};
type CommitAction = { readonly writes: readonly WriteAction[]; readonly events: number; readonly epoch: "none" | "current" | "old" };
type Action =
  | { readonly do: "commit"; readonly together: readonly CommitAction[] }
  | { readonly do: "acquire" | "release"; readonly holder: string }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "reopen" };

const write: fc.Arbitrary<WriteAction> = fc.record({
  kind: fc.constantFrom("hint", "operation"),
  key: fc.constantFrom("a", "b", "c", "d/1", "d/10", "d/2", "ü"),
  value: fc.option(fc.integer({ min: 1, max: 9 }), { freq: 3 }),
  expect: fc.constantFrom("any", "absent", "current", "current", "stale"),
});
const commit: fc.Arbitrary<CommitAction> = fc.record({
  writes: fc.uniqueArray(write, { maxLength: 4, selector: ({ kind, key }) => `${kind} ${key}` }),
  events: fc.integer({ min: 0, max: 2 }),
  epoch: fc.constantFrom("none", "none", "current", "old"),
});
const holder = fc.constantFrom("p", "q");
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("commit" as const), together: fc.array(commit, { minLength: 1, maxLength: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("acquire" as const, "release" as const), holder }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 800 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: "reopen" as const }) },
);

const ttlMs = 1_000;
const operation = (at: number): Operation => ({ subject: { kind: "host", name: "h" }, operation: "drain", by: "me", at });

/** The simplest thing that does what a store does. */
class Model {
  readonly records = new Map<string, { readonly revision: number; readonly value: Hint | Operation }>();
  revision = 0;
  events: string[] = [];
  lease: { readonly holder: string; readonly epoch: string; readonly expiresAt: number } | undefined;
  readonly oldEpochs = new Set<string>();

  apply(writes: readonly Write[], events: readonly string[], epoch: string | undefined): CommitResult {
    if (epoch !== undefined && epoch !== this.lease?.epoch) return { outcome: "deposed" };
    const conflicts = writes.filter(({ kind, key, expect }) => {
      const revision = this.records.get(`${kind} ${key}`)?.revision;
      return expect !== "any" && (expect === "absent" ? revision !== undefined : revision !== expect);
    });
    if (conflicts.length > 0) return { outcome: "conflict", conflicts: conflicts.map(({ kind, key }) => ({ kind, key })) };
    const real = writes.filter(({ kind, key, value }) => value !== null || this.records.has(`${kind} ${key}`));
    if (real.length + events.length > 0) this.revision += 1;
    for (const { kind, key, value } of real) {
      if (value === null) this.records.delete(`${kind} ${key}`);
      else this.records.set(`${kind} ${key}`, { revision: this.revision, value: value as Hint | Operation });
    }
    this.events.push(...events);
    return { outcome: "committed", revision: this.revision };
  }

  endLease(): void {
    if (this.lease !== undefined) this.oldEpochs.add(this.lease.epoch);
    this.lease = undefined;
  }

  list(kind: string): unknown[] {
    const own = [...this.records].filter(([place]) => place.startsWith(`${kind} `));
    return own
      .map(([place, { revision, value }]) => ({ key: place.slice(kind.length + 1), revision, value }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }
}

/** Lives through random histories beside a simple model: answers and contents are always the same. */
export function storeModel({ runs, open, reopen }: StoreModelOptions): void {
  it("does what a simple model does, whatever is asked of it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 30 }), async (actions) => {
        const world = storeWorld();
        const model = new Model();
        let store = await open(world);
        try {
          for (const step of actions) {
            if (step.do === "reopen" && reopen !== undefined) {
              model.endLease();
              store = await reopen(store, world);
            }
            await live(step, store, model, world);
            expectSame(store, model);
          }
        } finally {
          await store.stop();
        }
      }),
      { numRuns: runs },
    );
  });
}

async function live(step: Action, store: Store, model: Model, { clock }: StoreWorld): Promise<void> {
  if (step.do === "advance") clock.advance(step.ms);
  if (step.do === "commit") {
    const asked = step.together.map((one) => ({
      writes: one.writes.map((each) => toWrite(each, model)),
      events: Array.from({ length: one.events }, (_, n) => `${model.revision}-${n}`),
      epoch:
        one.epoch === "none" ? undefined : one.epoch === "old" ? ([...model.oldEpochs].at(-1) ?? "never") : (model.lease?.epoch ?? "no"),
    }));
    const answers = asked.map(({ writes, events, epoch }) =>
      store.commit({ writes, events: events.map((name) => event(name)), ...(epoch === undefined ? {} : { epoch }) }),
    );
    expect(await Promise.all(answers)).toEqual(asked.map(({ writes, events, epoch }) => model.apply(writes, events, epoch)));
  }
  if (step.do === "acquire") {
    const answer = await store.acquireLease(step.holder, ttlMs);
    const taken = model.lease !== undefined && model.lease.holder !== step.holder && model.lease.expiresAt > clock.now();
    expect(answer === undefined).toBe(taken);
    if (answer === undefined) return;
    expect(answer).toMatchObject({ holder: step.holder, expiresAt: clock.now() + ttlMs });
    if (model.lease?.holder === step.holder) expect(answer.epoch).toBe(model.lease.epoch);
    else model.endLease();
    expect(model.oldEpochs.has(answer.epoch)).toBe(false);
    model.lease = answer;
  }
  if (step.do === "release") {
    await store.releaseLease(step.holder);
    if (model.lease?.holder === step.holder) model.endLease();
  }
}

function toWrite({ kind, key, value, expect: expected }: WriteAction, model: Model): Write {
  const revision = model.records.get(`${kind} ${key}`)?.revision;
  const expectation: Expectation = expected === "current" ? (revision ?? "absent") : expected === "stale" ? (revision ?? 1) - 1 : expected;
  if (kind === "hint") return { kind, key, value: value === null ? null : hint(value), expect: expectation };
  return { kind, key, value: value === null ? null : operation(value), expect: expectation };
}

function expectSame(store: Store, model: Model): void {
  for (const kind of ["hint", "operation", "job"] as const) {
    const expected = model.list(kind);
    expect(store.list(kind)).toEqual(expected);
    expect(store.count(kind)).toBe(expected.length);
    for (const key of ["a", "d/10", "ü"]) {
      expect(store.get(kind, key)).toEqual(expected.find((stored) => (stored as { key: string }).key === key));
    }
  }
  const events = store.events({ after: 0, limit: 10_000 });
  expect(events.map(({ seq, subject }) => [seq, subject.name])).toEqual(model.events.map((name, index) => [index + 1, name]));
}
