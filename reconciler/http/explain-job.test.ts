import { describe, expect, it } from "vitest";
import type { VmLoss } from "../model/vm-loss.js";
import { aConnection, aJob, aPool, now } from "../plan/snapshot.fixture.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import type { Write } from "../store/port.js";
import { explainJob } from "./explain-job.js";

const loop = { look: () => undefined, lastAnswer: () => undefined, sweepSoon: () => false };
const factsOf = (vmLoss: VmLoss) => {
  const store = createMemoryStore({ clock: { now: () => now }, random: { next: () => 0.5, hex: () => "ab" } });
  return explainJob({ store, loop, now }, aJob({ status: "canceled", vm: "vm-one", vmLoss })).facts;
};
const loss: VmLoss = { at: now, code: "FR-GUEST-LOST", message: "its guest was not heard for 60 s", policy: "report" };

describe("the explanation of a job whose microVM was lost", () => {
  it("says so when the forge has confirmed that it ran, with what becomes of it", () => {
    expect(factsOf(loss)).toEqual([]);
    expect(factsOf({ ...loss, confirmedAt: now, url: "https://gitlab.example.com/g/p/-/jobs/1" })).toEqual([
      "its microVM was lost while it ran: its guest was not heard for 60 s (FR-GUEST-LOST); https://gitlab.example.com/g/p/-/jobs/1",
      "its pool's onVmLoss is report: the forge gives it up by itself, within about an hour",
    ]);
  });

  it("says what was asked of the forge, and what came of it", () => {
    const asked = { ...loss, policy: "cancel-and-retry", confirmedAt: now, cancelAskedAt: now } as const;
    expect(factsOf({ ...asked, retriedAs: 12 }).slice(1)).toEqual([
      "the forge was asked to cancel it, as its pool's onVmLoss is cancel-and-retry",
      "it was retried, as job 12",
    ]);
    expect(factsOf({ ...asked, givenUp: { code: "FR-FORGE-UNAUTHORIZED", message: "the token needs api" } }).at(-1)).toBe(
      "it was left to the forge: the token needs api (FR-FORGE-UNAUTHORIZED)",
    );
  });
});

describe("the explanation of a job that no pool has", () => {
  it("says of each pool of its connection that does not take it what is in the way", async () => {
    const store = createMemoryStore({ clock: { now: () => now }, random: { next: () => 0.5, hex: () => "ab" } });
    const declared = <S>(kind: "pool" | "connection", key: string, spec: S, order = 0) =>
      ({ kind, key, value: { spec, generation: 1, order, declaredAt: now }, expect: "absent" }) as unknown as Write;
    const pools = [
      aPool({ name: "guarded", accessLevel: "ref_protected" }),
      aPool({ name: "theirs", projectIds: [9] }),
      aPool({ name: "gpu", tags: ["gpu"] }),
      aPool({ name: "elsewhere", connection: "other" }),
    ];
    await store.commit({
      writes: [declared("connection", "forge", aConnection()), ...pools.map((pool, order) => declared("pool", pool.name, pool, order))],
    });
    const waiting = aJob({ protected: "unknown", ref: "main", waitingReason: { code: "FR-PROTECTION-UNKNOWN", message: "being read" } });
    const { code, facts } = explainJob({ store, loop, now }, waiting);
    expect(code).toBe("FR-PROTECTION-UNKNOWN");
    expect(facts.filter((fact) => fact.startsWith("pool"))).toEqual([
      'pool "guarded" does not take it: it takes jobs of protected refs only, and it is not known whether the job\'s is one',
      'pool "theirs" does not take it: its projectIds do not name project 7',
      'pool "gpu" does not take it: it lacks the tag vm',
    ]);
  });
});
