import { afterEach, describe, expect, it } from "vitest";
import { isOver } from "../../reconciler/cli/dev/gitlab-client.js";
import type { Pushed } from "../../reconciler/cli/dev/push-folder.js";
import { type HostsWorld, startHostsWorld } from "./hosts-world.fixture.js";
import { until } from "./until.fixture.js";

let world: HostsWorld | undefined;

afterEach(async () => {
  await world?.stop();
  world = undefined;
});

/** None is given up for a slow machine. */
const pool = { bootTimeoutS: 120 };
const oneJob = "only: {script: [exit 0]}\n";

/** The statuses of a pipeline's jobs once it is over. */
async function whenOver({ client }: HostsWorld, { project, pipeline }: Pushed): Promise<readonly string[]> {
  await until("the pipeline is over", async () => isOver((await client.pipeline(project.id, pipeline.id)).status), { everyMs: 100 });
  return (await client.jobs(project.id, pipeline.id)).map(({ status }) => status);
}

async function nothingLeft(of: HostsWorld): Promise<void> {
  const none = async () => Object.values(await of.left()).every((n) => n === 0);
  await until("nothing is left", none, { everyMs: 100, tell: () => JSON.stringify(of.hosts.map((host) => host.microvms())) });
  expect(of.violations()).toEqual([]);
}

describe("a Create that the host has stored", () => {
  it.each(["cut", "hang"] as const)("makes exactly one microVM when its answer is lost (%s)", async (how) => {
    const of = await startHostsWorld({ hosts: 2, seed: 1, pool, work: async () => undefined });
    world = of;
    for (const host of of.hosts) host.dial({ lostAnswers: { calls: 1, how, of: "create" } });
    expect(await whenOver(of, await of.push("lost", oneJob))).toEqual(["success"]);
    await nothingLeft(of);
    expect([...of.spawned.values()].map((uids) => uids.size)).toEqual([1]);
    expect([...of.failures]).toEqual([]);
  });
});

describe("a Delete", () => {
  it("that is lost while its microVM is built, one whose answer is lost, and a late one leave nothing", async () => {
    const of = await startHostsWorld({ hosts: 1, seed: 1, pool, work: async () => undefined });
    world = of;
    const [host] = of.hosts;
    const slow = { pullMs: 1_500 };
    host?.dial({ ...slow, loseDeletesWhileBuilding: true, lateDeletes: 1, lostAnswers: { calls: 1, how: "cut", of: "delete" } });
    // It is cancelled while the host still pulls its images.
    const regretted = await of.push("regretted", oneJob);
    await until("its microVM is there", () => (host?.microvms().length ?? 0) > 0, { everyMs: 1 });
    const [job] = await of.client.jobs(regretted.project.id, regretted.pipeline.id);
    await of.client.cancelJob(regretted.project.id, job?.id ?? 0);
    expect(await whenOver(of, await of.push("wanted", oneJob))).toEqual(["success"]);
    await nothingLeft(of);
  });
});

describe("a host that disappears while a job runs on it", () => {
  it("keeps its job, gets no new one, and is cleaned up when it is back", async () => {
    let finish = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const of = await startHostsWorld({ hosts: 2, seed: 1, pool, work: () => gate });
    world = of;
    const held = await of.push("held", "first: {script: [exit 0]}\nsecond: {script: [exit 0]}\n");
    await until(
      "both jobs run, each on a host of its own",
      () => of.ran.size === 2 && of.hosts.every((host) => host.microvms().length === 1),
    );
    const [gone, stays] = of.hosts;
    const ranThere = gone?.microvms()[0];
    await gone?.takeDown();
    const meanwhile = await of.push("meanwhile", "third: {script: [exit 0]}\nfourth: {script: [exit 0]}\nfifth: {script: [exit 0]}\n");
    await until("new work runs on the other host", () => of.ran.size === 5);
    expect(stays?.microvms()).toHaveLength(4);
    expect(gone?.microvms()).toEqual([ranThere]);
    const isBusy = () => of.service.store.get("microvm", ranThere?.name ?? "")?.value.phase === "busy";
    await until("its microVM is known to run a job", isBusy);

    finish();
    expect(await whenOver(of, held)).toEqual(["success", "success"]);
    expect(await whenOver(of, meanwhile)).toEqual(["success", "success", "success"]);
    await until("the other host is empty", () => stays?.microvms().length === 0);
    // Nobody could remove it there; its record is kept, and its place counts as taken.
    expect(gone?.microvms().map(({ name }) => name)).toEqual([ranThere?.name]);
    const records = () => of.service.store.list("microvm").map(({ key }) => key);
    await until("no other record is left", () => records().length === 1);
    expect(records()).toEqual([ranThere?.name]);

    await gone?.bringUp();
    await nothingLeft(of);
    expect([...of.spawned.values()].every((uids) => uids.size === 1)).toBe(true);
    expect([...of.ran.values()].toSorted()).toEqual([...new Set(of.ran.values())].toSorted());
  });
});
