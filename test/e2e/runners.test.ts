import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { isOver } from "../../reconciler/cli/dev/gitlab-client.js";
import type { RunnerConfig } from "./hosts-guests.fixture.js";
import { type HostsWorld, startHostsWorld } from "./hosts-world.fixture.js";
import { until } from "./until.fixture.js";

let world: HostsWorld | undefined;

afterEach(async () => {
  await world?.stop();
  world = undefined;
});

const eventsOf = ({ service }: HostsWorld, type: string) =>
  service.store.events({ after: 0, limit: 10_000 }).filter((event) => event.type === type);

describe("a project that may have fifty runners", () => {
  it("has all of its jobs run when others have most of them, GitLab limits requests, and answers get lost", async () => {
    // No microVM is given up for a slow machine.
    const pool = { bootTimeoutS: 120 };
    const work = (power: AbortSignal) => pause(300, undefined, { signal: power });
    const of = await startHostsWorld({ hosts: 2, seed: 3, project: "crowded", pool, work });
    world = of;
    const { gitlab, client, service } = of;
    const { id } = await client.ensureProject("root/crowded");
    const theirs = { runner_type: "project_type", project_id: id, description: "somebody's", tag_list: ["theirs"], run_untagged: false };
    for (let n = 0; n < 47; n++) {
      const headers = { "private-token": gitlab.token, "content-type": "application/json" };
      await fetch(`${gitlab.url}/api/v4/user/runners`, { method: "POST", headers, body: JSON.stringify(theirs) });
    }
    const making = "^POST /api/v4/user/runners";
    gitlab.setDials({
      runnerLimit: 50,
      faults: [
        { kind: "lostReply", path: making, times: 1 },
        { kind: "answer", path: making, status: 502, times: 1 },
        { kind: "answer", path: making, status: 429, retryAfterS: 1, times: 2 },
        { kind: "answer", path: "^(PUT|DELETE) /api/v4/runners/", status: 429, retryAfterS: 1, times: 4 },
      ],
    });
    const jobs = Array.from({ length: 9 }, (_, n) => `job-${n}: {script: [exit 0]}\n`).join("");
    const { project, pipeline } = await of.push("crowded", jobs);
    const isLimited = () => service.store.list("job").some(({ value }) => value.waitingReason?.code === "FR-FORGE-RUNNER-LIMIT");
    const told = () => service.store.get("condition", "connection/hosts/RunnerLimit")?.value.message;
    const message = await until("jobs wait for the limit", () => isLimited() && told(), { everyMs: 20 });
    expect(message).toContain("runners (50) exceeded");
    await until("the pipeline is over", async () => isOver((await client.pipeline(project.id, pipeline.id)).status), { everyMs: 100 });
    expect((await client.jobs(project.id, pipeline.id)).map(({ status }) => status)).toEqual(Array.from({ length: 9 }, () => "success"));
    const clean = { microvms: 0, records: 0, identities: 0, runners: 47, hints: 0 };
    const isClean = async () => JSON.stringify(await of.left()) === JSON.stringify(clean);
    await until("nothing of ours is left", isClean, { everyMs: 100 });
    expect(of.violations()).toEqual([]);
    expect(of.ran.size).toBe(9);
    // No microVM was given up for it, and it was told of.
    expect(eventsOf(of, "MicrovmFailed")).toEqual([]);
    expect(eventsOf(of, "RunnerLimitReached").length).toBeGreaterThan(0);
  });
});

describe("a job that steals its runner's token", () => {
  it("gets no second job with it, however often it asks while one waits", async () => {
    let stolen: RunnerConfig | undefined;
    let end = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      end = resolve;
    });
    const of = await startHostsWorld({
      hosts: 1,
      seed: 4,
      pool: { maxMicrovms: 1 },
      work: async (_power, runner) => {
        if (stolen !== undefined) return;
        stolen = runner;
        await gate;
      },
    });
    world = of;
    const { service, client } = of;
    const thief = await of.push("thief", "thief: {script: [exit 0]}\n");
    await until("its job runs, and its runner is paused", () =>
      service.store.list("identity").some(({ value }) => value.pausedAt !== undefined),
    );
    const victim = await of.push("victim", "victim: {script: [exit 0]}\n");
    const isWaiting = () => service.store.list("job").some(({ value }) => value.waitingReason?.code === "FR-POOL-LIMIT");
    await until("another job waits", isWaiting, { everyMs: 20 });
    const { url = "", token = "" } = stolen ?? {};
    const asked = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ token }) };
    for (let n = 0; n < 50; n++) expect((await fetch(`${url}/api/v4/jobs/request`, asked)).status).toBe(204);
    end();
    for (const { project, pipeline } of [thief, victim]) {
      await until("the pipeline is over", async () => isOver((await client.pipeline(project.id, pipeline.id)).status), { everyMs: 50 });
      expect((await client.jobs(project.id, pipeline.id)).map(({ status }) => status)).toEqual(["success"]);
    }
    // Its runner is deleted: the token is worth nothing any more.
    await until("nothing is left", async () => Object.values(await of.left()).every((n) => n === 0), { everyMs: 50 });
    expect((await fetch(`${url}/api/v4/jobs/request`, asked)).status).toBe(403);
    expect(of.ran.size).toBe(2);
    expect(of.violations()).toEqual([]);
  });
});
