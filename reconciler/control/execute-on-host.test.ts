import { describe, expect, it } from "vitest";
import type { FlintlockPort, HostMicrovm } from "../flintlock/port.js";
import { FireRunnerError } from "../model/errors.js";
import type { Microvm } from "../model/microvm.js";
import type { Effect } from "../plan/effect.js";
import { aHost, anImage, aVm, now } from "../plan/snapshot.fixture.js";
import { SeededRandom } from "../simulator/seeded-random.js";
import { VirtualClock } from "../simulator/virtual-clock.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import { execute } from "./execute.js";
import { LeaderWrites } from "./leader-writes.js";
import type { ControlPorts } from "./ports.js";
import { SoftState } from "./soft-state.js";

const target = { vm: "vm-one", host: "host-a", uid: "uid-vm-one" };
const checkGone: Effect = { kind: "checkGone", ...target };
const deleteOnHost: Effect = { kind: "deleteOnHost", ...target };
const shown = (state: HostMicrovm["state"]): HostMicrovm => ({
  ...{ uid: "uid-vm-one", name: "vm-one", namespace: "fr-owner", retry: 0, metadata: {} },
  state,
});
const unreachable = new FireRunnerError("FR-HOST-UNREACHABLE", "no answer", { retryable: true });

/** Carries out one effect on a host that shows this microVM and gives this answer to Delete. */
async function carryOut(
  effect: Effect,
  vm: Partial<Microvm>,
  found: HostMicrovm | undefined,
  answer: "accepted" | "absent" | Error = "accepted",
) {
  const clock = new VirtualClock(now);
  const store = createMemoryStore({ clock, random: new SeededRandom(1) });
  const lease = await store.acquireLease("test", 60_000);
  const deleting = aVm({ phase: "deleting", ...vm });
  const host = { spec: aHost(), generation: 1, order: 0, declaredAt: now };
  await store.commit({
    writes: [
      { kind: "host", key: "host-a", value: host, expect: "any" },
      { kind: "image", key: anImage().name, value: { ...host, spec: anImage() }, expect: "any" },
      { kind: "microvm", key: deleting.name, value: deleting, expect: "any" },
    ],
  });
  let deletes = 0;
  const flintlock: Partial<FlintlockPort> = {
    create: async () => {
      throw answer;
    },
    get: async () => found,
    delete: async () => {
      deletes += 1;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    list: async () => {
      throw unreachable;
    },
  };
  const soft = new SoftState();
  const context = {
    ports: { store, clock, flintlock, guest: { bootMetadata: () => ({}) } } as unknown as ControlPorts,
    settings: { owner: "owner", holder: "test", schedules: { pollMs: 1, pollHealthyMs: 1, listHostsMs: 1, sweepMs: 1, settleMs: 1 } },
    soft,
    writes: new LeaderWrites(store, lease?.epoch ?? "", () => {}),
  };
  const outcome = await execute(effect, context).catch((caught: unknown) => caught);
  return { outcome, deletes, soft, vm: store.get("microvm", "vm-one")?.value };
}

describe("asking whether a microVM is gone", () => {
  it("ends when the host does not know it any more", async () => {
    const { outcome, deletes, vm } = await carryOut(checkGone, { deleteAcceptedAt: now - 90_000 }, undefined);
    expect([outcome, deletes, vm?.absentAt]).toEqual(["done", 0, now]);
  });

  it.each<[string, Partial<Microvm>, HostMicrovm["state"], number]>([
    ["not within a minute", { deleteAcceptedAt: now - 59_999 }, "deleting", 0],
    ["after a minute", { deleteAcceptedAt: now - 60_000 }, "deleting", 1],
    ["not within a minute after the last one", { deleteAcceptedAt: now - 500_000, deleteTriedAt: now - 59_999 }, "deleting", 0],
    ["a minute after the last one", { deleteAcceptedAt: now - 500_000, deleteTriedAt: now - 60_000 }, "deleting", 1],
    ["at once when the host lost it", { deleteAcceptedAt: now - 500 }, "created", 1],
    ["not at once when it lost the second one as well", { deleteAcceptedAt: now - 9_000, deleteTriedAt: now - 5_000 }, "created", 0],
  ])("sends Delete again %s", async (_what, times, state, sent) => {
    const { outcome, deletes, vm } = await carryOut(checkGone, times, shown(state));
    expect([outcome, deletes]).toEqual(["again", sent]);
    if (sent === 1) expect(vm?.deleteTriedAt).toBe(now);
  });
});

describe("a Delete", () => {
  it("is remembered when it had no answer", async () => {
    const { outcome, vm } = await carryOut(deleteOnHost, {}, undefined, unreachable);
    expect(outcome).toBe(unreachable);
    expect(vm).toMatchObject({ deleteTriedAt: now });
    expect(vm?.deleteAcceptedAt).toBeUndefined();
  });

  it.each<[string, HostMicrovm | undefined, number, Partial<Microvm>]>([
    ["is not sent again when it did its work", undefined, 0, { absentAt: now }],
    ["is not sent again when it is at work", shown("deleting"), 0, { deleteAcceptedAt: now }],
    ["is sent again when it did not arrive", shown("created"), 1, { deleteAcceptedAt: now }],
  ])("without an answer %s", async (_what, found, sent, after) => {
    const { deletes, vm } = await carryOut(deleteOnHost, { deleteTriedAt: now - 5_000 }, found);
    expect(deletes).toBe(sent);
    expect(vm).toMatchObject(after);
  });
});

it("remembers why a host could not be listed", async () => {
  const { soft } = await carryOut({ kind: "listHost", host: "host-a" }, {}, undefined);
  expect(soft.failedReads.get("host-a")).toEqual({ code: "FR-HOST-UNREACHABLE", message: "no answer" });
});

describe("a Create that failed", () => {
  const unanswered = { phase: "creating", createSentAt: now - 5_000, uid: undefined } as Partial<Microvm>;
  const create: Effect = { kind: "createOnHost", vm: "vm-one", host: "host-a" };
  const failed = (retryable: boolean, details = {}) => new FireRunnerError("FR-HOST-UNREACHABLE", "no answer", { retryable, details });

  it.each([
    ["because it was refused, left nothing", failed(false), now],
    ["because it was never sent, left nothing", failed(true, { sent: false }), now],
    ["without an answer may have left a microVM", failed(true, { sent: true }), undefined],
  ])("%s", async (_what, error, absentAt) => {
    const { vm } = await carryOut(create, unanswered, undefined, error);
    expect([vm?.absentAt, vm?.failure?.code]).toEqual([absentAt, absentAt === undefined ? undefined : "FR-HOST-UNREACHABLE"]);
  });
});

it("what would leave something behind is sent only when what was recorded of it is safe; what only looks need not wait", async () => {
  let settles = 0;
  const unsafe = new FireRunnerError("FR-STORE", "no replica has it", { retryable: true });
  const ports = {
    clock: new VirtualClock(now),
    store: {
      get: () => ({ value: { spec: aHost() } }),
      settled: async () => {
        settles += 1;
        throw unsafe;
      },
    },
    flintlock: { list: async () => [] },
    guest: {},
  } as unknown as ControlPorts;
  const context = { ports, settings: { owner: "owner" }, soft: new SoftState(), writes: {} } as Parameters<typeof execute>[1];
  await expect(execute({ kind: "createOnHost", vm: "vm-one", host: "host-a" }, context)).rejects.toBe(unsafe);
  await expect(execute({ kind: "listHost", host: "host-a" }, context)).resolves.toBe("done");
  expect(settles).toBe(1);
});
