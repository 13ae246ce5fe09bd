import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aMicrovm } from "../http/listeners.fixture.js";
import { until } from "../model/until.fixture.js";
import { type CliWorld, startCliWorld } from "./cli-world.fixture.js";
import { parseDuration } from "./parse-duration.js";

let world: CliWorld;
const store = () => world.service.store;

beforeAll(async () => {
  world = await startCliWorld([]);
  await world.applyFleet();
});
afterAll(() => world.stop());

/** A microVM with a job, as the loop would have left it on a host that does not answer any more. */
async function runsAJob(): Promise<void> {
  const now = Date.now();
  const value = aMicrovm({
    phase: "busy",
    uid: "uid-a",
    job: "gitlab/380/1",
    allocatedAt: now,
    createSentAt: now,
    createdAt: now,
    claimedAt: now,
    busyAt: now,
  });
  await store().commit({ writes: [{ kind: "microvm", key: value.name, value, expect: "absent" }] });
}
const ends = () => store().commit({ writes: [{ kind: "microvm", key: "vm-a", value: null, expect: "any" }] });
const operations = () =>
  store()
    .list("operation")
    .map(({ key, value }) => [key, value.by]);

describe("cordon, drain, forget, pause and their opposites", () => {
  it.each([
    ["cordon", ["cordon", "rack-1"], "host/rack-1 cordoned: it gets no new microVMs, jobs on it go on\n", "host/rack-1/cordon"],
    ["drain", ["drain", "rack-1"], "host/rack-1 draining: it gets no new microVMs, jobs on it may end\n", "host/rack-1/drain"],
    ["pause", ["pause", "pool", "small"], "pool/small paused: nothing new is made for it, its jobs wait\n", "pool/small/pause"],
    ["host forget", ["host", "forget", "rack-1"], expect.stringMatching(/^host\/rack-1 forgotten: .*\n$/), "host/rack-1/forget"],
  ])("%s says what it did, and who did it is recorded", async (_name, args, out, key) => {
    expect(await world.run(args, { env: { USER: "ada" } })).toEqual({ code: 0, out, err: "" });
    expect(operations()).toEqual([[key, "ada"]]);
    const back = key.startsWith("pool") ? ["resume", "pool", "small"] : ["uncordon", "rack-1"];
    expect(await world.run(back)).toMatchObject({ code: 0, err: "" });
    expect(operations()).toEqual([]);
  });

  it.each([
    [["cordon", "rack-9"], 1, 'error FR-NOT-FOUND: no host is called "rack-9"\n'],
    [["resume", "pool", "big"], 1, 'error FR-NOT-FOUND: no pool is called "big"\n'],
    [["pause", "host", "rack-1"], 2, 'error: "host" is refused: only a pool can be paused (see firerunner --help)\n'],
    [["drain", "rack-1", "--deadline", "soon"], 2, expect.stringContaining('--deadline: "soon" is refused: must be a duration such as')],
    [["drain", "rack-1", "--timeout", "1m"], 2, expect.stringContaining("--timeout is for --wait")],
    [["host", "forgive", "rack-1"], 2, expect.stringContaining('unknown command "forgive"')],
  ])("%j is refused", async (args, code, err) => {
    expect(await world.run(args)).toEqual({ code, out: "", err });
    expect(operations()).toEqual([]);
  });

  it("get hosts shows how a host stands, and describe also what is true of it", async () => {
    await until(async () => (await world.run(["get", "hosts"])).out.includes("FR-HOST-UNREACHABLE"), "the host was asked");
    await world.run(["cordon", "rack-1"]);
    const { out } = await world.run(["get", "hosts"]);
    expect(out).toMatch(/^NAME +ENDPOINT +REACHABLE +STANDING +MICROVMS +VCPU +MEMORY +LAST READ\n/);
    expect(out).toMatch(/^rack-1 +127\.0\.0\.1:1 +FR-HOST-UNREACHABLE +cordoned +0\/8 +0\/8 +0M\/16G +unknown$/m);
    await until(async () => /Accepting +false +Cordoned/.test((await world.run(["describe", "host", "rack-1"])).out), "it is judged");
    const described = (await world.run(["describe", "host", "rack-1"])).out;
    expect(described).toMatch(/Status\nname: rack-1\nreachable: no\nmessage: .?FR-HOST-UNREACHABLE/);
    expect(described).toMatch(/operation: cordon\n +by: admin\n +at: \S+Z$/m);
    await world.run(["uncordon", "rack-1"]);
  });
});

describe("drain --wait", () => {
  it("of an empty host ends at once", async () => {
    const { code, out } = await world.run(["drain", "rack-1", "--wait"]);
    expect([code, out]).toEqual([0, expect.stringMatching(/draining: .*\nhost\/rack-1 drained: nothing is left on it\n$/)]);
    await world.run(["uncordon", "rack-1"]);
  });

  it("follows until nothing is left", async () => {
    await runsAJob();
    const waiting = world.run(["drain", "rack-1", "--wait", "--deadline", "1h"]);
    await until(() => operations().length > 0, "it drains");
    await ends();
    const { code, out } = await waiting;
    expect(code).toBe(0);
    expect(out).toMatch(/jobs on it may run until \S+Z\n/);
    expect(out).toMatch(/host\/rack-1 drained: nothing is left on it\n$/);
    await world.run(["uncordon", "rack-1"]);
  });

  it("gives up in time, says what is left, and the host goes on draining", async () => {
    await runsAJob();
    const { code, out, err } = await world.run(["drain", "rack-1", "--wait", "--timeout", "1s"]);
    expect(code).toBe(1);
    expect(out).toContain("waiting for 1 microVM: vm-a (busy, job gitlab/380/1)");
    expect(err).toMatch(/^error FR-REFERENCED: host "rack-1" still holds 1 microVM after 1s: vm-a \(.*\); it goes on draining\n$/);
    expect(operations()).toHaveLength(1);
  });

  it("ends when the drain is taken back", async () => {
    const waiting = world.run(["drain", "rack-1", "--wait"]);
    await until(() => operations().length > 0, "it drains");
    await world.run(["uncordon", "rack-1"]);
    expect(await waiting).toMatchObject({ code: 1, err: expect.stringContaining('FR-CONFLICT: host "rack-1" is not drained any more') });
    await ends();
  });
});

it.each([
  ["90s", 90],
  ["10m", 600],
  ["1h30m", 5_400],
  ["2d", 172_800],
  ["0s", 0],
])("%s are %i seconds", (text, seconds) => {
  expect(parseDuration(text, "--deadline")).toBe(seconds);
});

it.each(["", "10", "m", "1m1h", "-5m", "1.5h", "10 m"])("the duration %j is refused", (text) => {
  expect(() => parseDuration(text, "--deadline")).toThrow("must be a duration such as 90s, 10m or 1h30m");
});

it("a store that is in no file of its own is not backed up here, and nothing is left of the attempt", async () => {
  const file = `${world.directory}/firerunner.backup`;
  const { code, err } = await world.run(["backup", file]);
  expect([code, err]).toEqual([1, expect.stringContaining("error FR-INVALID: the store of this service is not in a file of its own")]);
  expect([file, `${file}.part`].filter((each) => existsSync(each))).toEqual([]);
});
