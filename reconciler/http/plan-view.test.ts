import { describe, expect, it } from "vitest";
import { plan } from "../plan/plan.js";
import { aHost, aHostView, aJob, anIdentity, aPool, aPresence, aSnapshot, aVm, now, shownVm } from "../plan/snapshot.fixture.js";
import type { Snapshot } from "../plan/snapshot.js";
import { planView } from "./plan-view.js";
import { sweepView } from "./sweep-view.js";

const viewOf = (change: Partial<Snapshot>) => {
  const snapshot = aSnapshot(change);
  return planView(snapshot, plan(snapshot));
};
const sweepOf = (change: Partial<Snapshot>) => {
  const snapshot = aSnapshot(change);
  return sweepView(snapshot, plan(snapshot));
};
const changed = ({ changes }: ReturnType<typeof viewOf>, kind: string) => changes.filter((change) => change.kind === kind);

describe("a plan, as people see it", () => {
  it("tells what is made for a job that waits, and what is asked for it", () => {
    const view = viewOf({ jobs: [aJob()] });
    expect(changed(view, "microvm")).toMatchObject([
      { action: "create", what: expect.stringMatching(/^size "small" of pool "pool" on host ".+", for a job that waits$/) },
    ]);
    expect(changed(view, "job")).toMatchObject([{ action: "change", code: "FR-WAITING-FOR-MICROVM" }]);
    expect(view.calls.find(({ effect }) => effect.kind === "createOnHost")?.why).toBe("a microVM was decided on");
    expect(view.at).toBe(now);
  });

  it("tells why nothing is made", () => {
    const view = viewOf({ jobs: [aJob()], hosts: [aHostView(aHost(), [], { standing: "cordoned" })] });
    expect(changed(view, "microvm")).toEqual([]);
    expect(changed(view, "job")).toMatchObject([{ code: "FR-NO-CAPACITY" }]);
  });

  it("tells why a microVM goes: its host drains, its pool is gone, its job is over, or it failed", () => {
    const drained = viewOf({ microvms: [aVm()], hosts: [aHostView(aHost(), [shownVm()], { standing: "draining" })] });
    expect(changed(drained, "microvm")).toMatchObject([{ what: 'its host "host-a" drains' }]);
    expect(changed(viewOf({ microvms: [aVm()], pools: [] }), "microvm")).toMatchObject([{ what: 'its pool "pool" is no longer declared' }]);
    const busy = aVm({ phase: "busy", job: "forge/7/1", identity: true });
    const over = viewOf({ microvms: [busy], jobs: [aJob({ status: "success", finishedAt: now, vm: busy.name })] });
    expect(changed(over, "microvm")).toMatchObject([{ what: "its job forge/7/1 is over" }]);
    const { claimedAt: _claimedAt, ...unclaimed } = aVm({ phase: "booting", createSentAt: now - 3_600_000 });
    expect(changed(viewOf({ microvms: [unclaimed] }), "microvm")).toMatchObject([{ code: "FR-VM-BOOT-TIMEOUT" }]);
  });

  it("shows nothing of a runner's token", () => {
    const vm = aVm({ phase: "assigned", identity: true });
    const view = viewOf({ microvms: [vm], identities: [anIdentity({ vm: vm.name, sealedToken: "the-sealed-token" })], pools: [] });
    expect(changed(view, "identity").length).toBeGreaterThan(0);
    expect(JSON.stringify(view)).not.toContain("the-sealed-token");
  });

  it("tells why there is a presence runner, and why it goes", () => {
    const pools = [{ spec: aPool({ minIdle: 1 }), paused: false }];
    const view = viewOf({ pools });
    expect(changed(view, "presence")).toMatchObject([
      { action: "create", what: 'the presence runner of size "small" of pool "pool" is wanted' },
    ]);
    expect(view.calls.filter(({ effect }) => effect.kind === "tendPresence")).toHaveLength(1);
    const idle = viewOf({ presences: [aPresence()] });
    expect(changed(idle, "presence")).toMatchObject([{ what: 'nothing needs the presence runner of size "small" of pool "pool"' }]);
    const { removes } = sweepOf({ presences: [aPresence()], pools: [] });
    expect(removes).toEqual([
      {
        kind: "runner",
        name: "pr-one",
        where: "connection/forge",
        why: 'the presence runner of size "small" of pool "pool" is to be deleted',
      },
    ]);
    const { underWay } = sweepOf({ presences: [aPresence({ state: "leaving" })] });
    expect(underWay).toMatchObject([{ kind: "runner", name: "pr-one", why: 'pool "pool", size "small" needs no presence runner' }]);
  });

  it("names the calls under way and when those that rest come again", () => {
    const effects = new Map([
      ["listHost:host-a", { state: "in-flight" }],
      ["poll:forge/all", { state: "backing-off", until: now + 500 }],
    ] as const);
    expect(viewOf({ effects }).underWay).toEqual([{ call: "listHost:host-a" }, { call: "poll:forge/all", until: now + 500 }]);
  });
});

describe("a sweep, before it is made", () => {
  const mark = { vm: "vm-lost", pool: "pool", connection: "forge", size: "small" };

  it("removes what bears our mark without a record, and leaves alone what is not ours", () => {
    const host = aHostView(aHost(), [shownVm({ name: "vm-lost", uid: "uid-lost", mark })]);
    expect(sweepOf({ hosts: [host] }).removes).toContainEqual({
      kind: "microvm",
      name: "vm-lost",
      where: "host/host-a",
      why: 'found on host "host-a" without a record',
      code: "FR-VM-ORPHAN",
    });
    const foreign = {
      subject: { kind: "host", name: "host-a" },
      type: "ForeignMicrovms",
      status: true,
      reason: "NoTrueMark",
      message: "uid-x",
      observedAt: now,
      count: 1,
    };
    const other = aHostView(aHost(), [shownVm({ name: "strange", uid: "uid-x", mark: undefined })]);
    const view = sweepOf({ hosts: [other], conditions: [foreign] });
    expect(view.removes.filter(({ kind }) => kind === "microvm")).toEqual([]);
    expect(view.leftAlone).toEqual([{ host: "host-a", message: "uid-x" }]);
  });

  it("removes the second of a double, and runners whose microVM has no record", () => {
    const vm = aVm({ phase: "busy", uid: "uid-1", createdAt: now - 60_000, job: "forge/7/1", claimedAt: now });
    const shown = ["uid-1", "uid-2"].map((uid) => shownVm({ name: vm.name, uid, mark: { ...mark, vm: vm.name } }));
    const view = sweepOf({
      microvms: [vm],
      jobs: [aJob({ status: "running", vm: vm.name })],
      hosts: [aHostView(aHost(), shown)],
      identities: [anIdentity({ vm: "vm-old", state: "ready", runnerId: 9 })],
    });
    expect(view.removes).toContainEqual({ kind: "microvm", name: "uid-2", where: "host/host-a", why: "the host has it twice" });
    expect([...view.removes, ...view.underWay]).toContainEqual(
      expect.objectContaining({ kind: "runner", name: "vm-old", where: "connection/forge" }),
    );
  });

  it("tells what is on its way out already, and how old the picture is", () => {
    const vm = aVm({ phase: "draining", drainingAt: now, failure: { code: "FR-GUEST-LOST", message: "silent" } });
    const view = sweepOf({ microvms: [vm], hosts: [aHostView(aHost(), [], { observation: undefined })] });
    expect(view.underWay).toContainEqual({
      kind: "microvm",
      name: vm.name,
      where: `host/${vm.host}`,
      why: "silent",
      code: "FR-GUEST-LOST",
    });
    expect(view.read.hosts).toEqual([{ name: "host-a" }]);
    expect(view.read.connections.map(({ name }) => name)).toEqual(["forge"]);
  });
});
