import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { oneOfEach } from "../http/listeners.fixture.js";
import { until } from "../model/until.fixture.js";
import { aWaitingJob, type CliWorld, startCliWorld } from "./cli-world.fixture.js";

let world: CliWorld;

beforeAll(async () => {
  const others = [
    { ...aWaitingJob, id: 102, tag_list: ["vm", "gpu"] },
    { ...aWaitingJob, id: 103, tag_list: ["vm", "2cpu-2gb"] },
    { ...aWaitingJob, id: 104, tag_list: ["vm", "16cpu-2gb"] },
  ];
  world = await startCliWorld([aWaitingJob, ...others]);
  await world.applyFleet({ pools: [{ ...oneOfEach.pool, tags: ["vm"], limits: { vcpu: 4, memoryMb: 8192 } }] });
  const reason = (id: number) => world.service.store.get("job", `gitlab/380/${id}`)?.value.waitingReason;
  await until(() => [101, 102, 103, 104].every((id) => reason(id) !== undefined), "the jobs are known and explained");
  await until(async () => (await world.run(["get", "hosts"])).out.includes("FR-HOST-UNREACHABLE"), "the host was asked");
});
afterAll(() => world.stop());

describe("explain", () => {
  it("tells of a job that waits what each step between it and a host says", async () => {
    const { code, out } = await world.run(["explain", "101"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^job gitlab\/380\/101 \(pending\): it waits: .+ \(FR-[A-Z-]+\)\n/);
    expect(out).toMatch(/^- connection "gitlab" was read \d+ s ago$/m);
    expect(out).toContain('- it is for pool "small", size "small" (1 vCPU, 1024 MiB)\n- 0 jobs of this pool and size wait for longer\n');
    expect(out).toContain('- pool "small" has 0 of 2 microVMs, 0 of them on their way out\n');
    expect(out).toMatch(/^- host "rack-1": it does not answer: FR-HOST-UNREACHABLE/m);
    expect(out).toMatch(/\nAT +WHAT +AFTER\n2026-02-03T04:05:06Z +created\n/);
  });

  it("tells of operators, by name", async () => {
    await world.run(["cordon", "rack-1"], { env: { USER: "ada" } });
    await world.run(["pause", "pool", "small"], { env: { USER: "grace" } });
    const { out } = await world.run(["explain", "101"]);
    expect(out).toContain('- host "rack-1": it is cordoned, by ada\n');
    expect(out).toContain('- pool "small" has a pause, by grace\n');
    expect((await world.run(["get", "pools"])).out).toMatch(/^small .* paused /m);
    await world.run(["uncordon", "rack-1"]);
    await world.run(["resume", "pool", "small"]);
  });

  it("tells what every pool lacks for a job that none takes", async () => {
    const { out } = await world.run(["explain", "gitlab/380/102"]);
    expect(out).toContain("(FR-NO-POOL)");
    expect(out).toContain('- pool "small" does not take it: it lacks the tag gpu\n');
  });

  it("knows sizes that jobs ask for by tag, and why one is not given", async () => {
    expect((await world.run(["explain", "103"])).out).toContain('- it is for pool "small", size "2cpu-2gb" (2 vCPU, 2048 MiB)\n');
    const { out } = await world.run(["explain", "104"]);
    expect(out).toContain("(FR-SIZE-REFUSED)");
    expect(out).toMatch(/^- pool "small" does not take it: it does not give "16cpu-2gb": /m);
  });

  it("is data too, and an unknown job is not found", async () => {
    const json = JSON.parse((await world.run(["explain", "101", "-o", "json"])).out);
    expect(json).toMatchObject({ key: "gitlab/380/101", status: "pending", code: expect.stringMatching(/^FR-/), steps: expect.any(Array) });
    expect(await world.run(["explain", "999"])).toMatchObject({ code: 1, err: "error FR-NOT-FOUND: job 999 is not known here\n" });
  });
});

describe("plan and gc", () => {
  it("plan shows what would be done, as a table and as data", async () => {
    const { code, out } = await world.run(["plan"]);
    expect([code, out]).toEqual([0, expect.stringMatching(/nothing is to be done|^(WRITE|CALL) /)]);
    expect(JSON.parse((await world.run(["plan", "-o", "json"])).out)).toMatchObject({
      changes: expect.any(Array),
      calls: expect.any(Array),
    });
  });

  it("gc --dry-run removes nothing, and says how old its picture is", async () => {
    const { code, out } = await world.run(["gc", "--dry-run"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^nothing would be removed\nlast searched: host\/rack-1 never, connection\/gitlab \S+ ago\n$/);
    expect(JSON.parse((await world.run(["gc", "--dry-run", "-o", "json"])).out)).toMatchObject({ removes: [], underWay: [] });
  });

  it("gc has everything read at once", async () => {
    const swept = async () => {
      const { read, at } = JSON.parse((await world.run(["gc", "--dry-run", "-o", "json"])).out);
      return { sweptAt: read.connections[0].at as number | undefined, at: at as number };
    };
    const before = (await swept()).at;
    expect(await world.run(["gc"])).toEqual({
      code: 0,
      out: "hosts (rack-1) and connections (gitlab) are read now; what nobody needs is removed\n",
      err: "",
    });
    await until(async () => ((await swept()).sweptAt ?? 0) >= before, "the forge was searched again, long before it was time");
  });
});
