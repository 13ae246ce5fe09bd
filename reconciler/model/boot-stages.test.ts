import fc from "fast-check";
import { expect, it } from "vitest";
import { bootStagesOf } from "./boot-stages.js";

const vm = { allocatedAt: 10_000, createSentAt: 10_020 };
const told = { claimedAt: 13_000, bootMs: { init: 1_100, network: 1_300, claim: 2_400 }, monitorBeganAt: 10_250 };

it("follow on each other from the decision to the claim, and the runner is ready after that", () => {
  expect(bootStagesOf(vm, { ...told, startedAt: 13_400 })).toEqual([
    { stage: "create", tookMs: 20 },
    { stage: "monitor", tookMs: 230 },
    { stage: "kernel", tookMs: 350 },
    { stage: "init", tookMs: 1_100 },
    { stage: "network", tookMs: 200 },
    { stage: "claim", tookMs: 1_100 },
    { stage: "runner", tookMs: 400 },
  ]);
});

it("what nobody told of is in the next", () => {
  expect(bootStagesOf(vm, { claimedAt: 13_000 })).toEqual([
    { stage: "create", tookMs: 20 },
    { stage: "claim", tookMs: 2_980 },
  ]);
  const { monitorBeganAt: _unknown, ...others } = told;
  expect(bootStagesOf(vm, others)[1]).toEqual({ stage: "kernel", tookMs: 580 });
});

it("a host whose clock is wrong shifts no other stage", () => {
  for (const monitorBeganAt of [0, 99_999_999]) {
    const stages = bootStagesOf(vm, { ...told, monitorBeganAt });
    expect(stages.slice(3)).toEqual(bootStagesOf(vm, told).slice(3));
  }
});

it("a microVM that was parked waited for work, not for its runner", () => {
  const stages = bootStagesOf({ ...vm, assignedAt: 60_000 }, { ...told, startedAt: 60_300 });
  expect(stages.at(-1)).toEqual({ stage: "runner", tookMs: 300 });
});

it("whatever a guest tells, up to the claim they are the time by the clock, and none is negative", () => {
  const ms = fc.option(fc.nat({ max: 40_000 }), { nil: undefined });
  fc.assert(
    fc.property(ms, ms, ms, ms, fc.nat({ max: 20_000 }), (init, network, claim, began, tookMs) => {
      const bootMs = Object.fromEntries(Object.entries({ init, network, claim }).filter((entry) => entry[1] !== undefined));
      const claimedAt = vm.createSentAt + tookMs;
      const monitorBeganAt = began === undefined ? undefined : began;
      const stages = bootStagesOf(vm, { claimedAt, bootMs: bootMs as Record<string, number>, monitorBeganAt });
      expect(stages.every((stage) => stage.tookMs >= 0)).toBe(true);
      expect(stages.reduce((sum, stage) => sum + stage.tookMs, 0)).toBe(claimedAt - vm.allocatedAt);
    }),
  );
});
