import { expect, it } from "vitest";
import { applyPlan } from "./apply-plan.fixture.js";
import { heardByNow, settleClock } from "./clock-set-back.js";
import { Draft } from "./draft.js";
import { aClassHeldBack, anIdentity, aSnapshot, aVm, now } from "./snapshot.fixture.js";

const hour = 3_600_000;

const settled = (vm: ReturnType<typeof aVm>) => {
  const draft = new Draft(aSnapshot({ microvms: [vm] }));
  settleClock(draft);
  return { decided: draft.finish(), vm: draft.microvms.get(vm.name), draft };
};

it("takes what was done an hour from now for done by now, and leaves a job as much time as it had", () => {
  const ahead = now + hour;
  const { vm, decided, draft } = settled(aVm({ phase: "busy", allocatedAt: ahead, busyAt: ahead, jobDeadlineAt: ahead + 600_000 }));
  expect(vm).toMatchObject({ allocatedAt: now, busyAt: now, jobDeadlineAt: now + 600_000 });
  const again = new Draft(applyPlan(draft.snapshot, decided));
  settleClock(again);
  expect(again.finish().decisions).toEqual([]);
});

it("waits for what was done a moment from now: a list that is under way may be older", () => {
  expect(settled(aVm({ allocatedAt: now - 1_000, createdAt: now + 60_000 })).decided.decisions).toEqual([]);
});

it("holds back no longer than before what was held back when the clock was ahead", () => {
  const condition = aClassHeldBack();
  const draft = new Draft(aSnapshot({ conditions: [{ ...condition, observedAt: now + hour, until: now + hour + 5_000 }] }));
  settleClock(draft);
  expect([...draft.conditions.values()]).toContainEqual({ ...condition, observedAt: now, until: now + 5_000 });
});

it("counts what a guest said at a time that is yet to come from when this process began to listen", () => {
  const secretSha256 = "0".repeat(64);
  const said = { vm: "vm-a", bootId: "b", secretSha256, claimedAt: now - hour, startedAt: now - 1_000 };
  expect(heardByNow(said, now, now - 5_000)).toBe(said);
  const at = now + hour;
  const ahead = {
    ...said,
    claimedAt: at,
    startedAt: at,
    done: { at, exitCode: 0, reason: "finished" },
    fault: { at, code: "FR-GUEST-RESTARTED" },
  } as const;
  const heard = { at: now - 5_000 };
  expect(heardByNow(ahead, now, now - 5_000)).toEqual({
    ...ahead,
    claimedAt: heard.at,
    startedAt: heard.at,
    done: { ...ahead.done, ...heard },
    fault: { ...ahead.fault, ...heard },
  });
});

it("asks again what a runner runs that ran something at a time that is yet to come", () => {
  const identity = anIdentity({ pausedAt: now + hour, runningJobs: { count: 1, at: now + hour } });
  const draft = new Draft(aSnapshot({ identities: [identity] }));
  settleClock(draft);
  const { runningJobs: _runningJobs, ...rest } = identity;
  expect([...draft.identities.values()]).toEqual([{ ...rest, pausedAt: now }]);
});
