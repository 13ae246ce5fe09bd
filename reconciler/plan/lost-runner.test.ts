import { expect, it } from "vitest";
import { applyPlan } from "./apply-plan.fixture.js";
import { plan } from "./plan.js";
import { aJob, anIdentity, aSnapshot, aVm, now, remarkable } from "./snapshot.fixture.js";

const assigned = aVm({ phase: "assigned", identity: true, committedAt: now - 4_000, assignedAt: now - 4_000 });

it("replaces a microVM whose runner somebody deleted, and says so; the next one of its class waits a little", () => {
  const snapshot = aSnapshot({ microvms: [assigned], identities: [anIdentity({ absent: true })], jobs: [aJob()] });
  const decided = plan(snapshot);
  const { microvms, conditions } = applyPlan(snapshot, decided);
  expect(microvms).toMatchObject([{ phase: expect.stringMatching(/draining|deleting/), failure: { code: "FR-FORGE-RUNNER-DELETED" } }]);
  expect(remarkable(conditions)).toMatchObject([{ type: "NoJobTaken", reason: "FR-FORGE-RUNNER-DELETED", until: now + 5_000 }]);
  expect(decided.events).toMatchObject([{ type: "MicrovmFailed" }]);
});

it("leaves one alone that has its job: that needs no more than its own token", () => {
  const busy = aVm({ ...assigned, phase: "busy", job: "forge/7/1", jobDeadlineAt: now + 600_000 });
  const jobs = [aJob({ status: "running", runnerId: 100, vm: "vm-one", host: "host-a", pool: "pool", size: "small", vmAt: now - 4_000 })];
  const snapshot = aSnapshot({ microvms: [busy], identities: [anIdentity({ absent: true })], jobs });
  expect(applyPlan(snapshot, plan(snapshot)).microvms).toMatchObject([{ phase: "busy" }]);
});
