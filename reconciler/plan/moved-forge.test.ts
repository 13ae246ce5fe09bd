import { expect, it } from "vitest";
import { applyPlan } from "./apply-plan.fixture.js";
import { plan } from "./plan.js";
import { aConnection, aJob, anIdentity, aPresence, aSnapshot, aVm, now } from "./snapshot.fixture.js";

const forge = "https://old.example.com";

it("forgets numbers of a forge that is declared at another address, and finds its runners again before it touches one", () => {
  const snapshot = aSnapshot({
    jobs: [
      aJob({ jobId: 1, forge }),
      aJob({ jobId: 2, forge, status: "success", finishedAt: now - 5_000 }),
      aJob({ jobId: 3, forge, status: "running", vm: "vm-one" }),
      aJob({ jobId: 4, forge: aConnection().url }),
    ],
    microvms: [aVm({ phase: "busy", identity: true, job: "forge/7/3", busyAt: now - 1_000 })],
    identities: [anIdentity({ forge, pausedAt: now - 900 })],
    presences: [aPresence({ forge, state: "present" })],
  });
  const decided = plan(snapshot);
  const after = applyPlan(snapshot, decided);
  expect(after.jobs.map(({ jobId }) => jobId)).toEqual([3, 4]);
  expect(after.identities[0]).not.toHaveProperty("runnerId");
  expect(after.presences[0]).toMatchObject({ state: "leaving" });
  expect(after.presences[0]).not.toHaveProperty("runnerId");
  const kinds = decided.effects.map(({ kind }) => kind);
  expect(kinds).toContain("findRunner");
  expect(kinds).toContain("poll");
  expect(kinds.filter((kind) => kind === "pauseRunner" || kind === "deleteRunner")).toEqual([]);
  expect(decided.events.map(({ type }) => type)).toContain("ForgeMoved");
});

it("says nothing while a connection stays where it is", () => {
  const identities = [anIdentity({ forge: aConnection().url })];
  const decided = plan(aSnapshot({ microvms: [aVm({ phase: "busy", identity: true })], identities }));
  expect(decided.events).toEqual([]);
});
