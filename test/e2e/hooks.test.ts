import { afterEach, describe, expect, it } from "vitest";
import type { Pushed } from "../../reconciler/cli/dev/push-folder.js";
import { jobHook15, jobHook16 } from "../../reconciler/forge/gitlab/webhook-payloads.fixture.js";
import { startWorld, type World, type WorldOptions } from "./world.fixture.js";

let running: World | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

/** A world whose service is up, and knows the project from its start: polls list the projects of an instance but rarely. */
async function start(project: string, options: WorldOptions = {}): Promise<World> {
  running = await startWorld(options);
  await running.client.ensureProject(`root/${project}`);
  await running.startService();
  return running;
}

const script = "[echo ran $((40 + 2))]";
const oneJob = { ".gitlab-ci.yml": `only: {script: ${script}}\n` };
const twoJobs = { ".gitlab-ci.yml": `first: {script: ${script}}\nsecond: {script: ${script}}\n` };
const twoStages = {
  ".gitlab-ci.yml": [
    "stages: [build, test]",
    `first: {stage: build, script: ${script}}`,
    `second: {stage: build, script: ${script}}`,
    `third: {stage: test, script: ${script}}`,
    "",
  ].join("\n"),
};

/** Every job has run once, each on a microVM of its own, there never were more microVMs than jobs, and nothing is left. */
async function expectOneMicrovmPerJob(world: World, pushed: Pushed, jobCount: number): Promise<void> {
  const jobs = await world.jobsWhenOver(pushed);
  expect([...jobs.values()].map(({ status }) => status)).toEqual(Array(jobCount).fill("success"));
  for (const { id } of jobs.values()) expect((await world.client.log(pushed.project.id, id)).match(/^ran 42$/gm)).toHaveLength(1);
  await world.nothingLeft();
  expect(world.hosts.names().size).toBe(jobCount);
}

interface Delivery {
  readonly id: number;
  readonly request_data: { readonly build_name?: string; readonly build_status?: string };
  readonly response_status: string;
}

/** What GitLab's hook has delivered, oldest first: the job's name, its status, and the answer. */
async function deliveries({ api }: World, { project }: Pushed): Promise<{ hookId: number; told: readonly string[]; oldest: number }> {
  const [hook] = (await api("GET", `projects/${project.id}/hooks`)) as readonly { readonly id: number }[];
  const hookId = hook?.id ?? 0;
  const events: Delivery[] = [];
  // GitLab tells no more than twenty at a time.
  for (let page = 1; events.length === (page - 1) * 20; page += 1) {
    const path = `projects/${project.id}/hooks/${hookId}/events?per_page=20&page=${page}`;
    const more = (await api("GET", path)) as readonly Delivery[];
    events.push(...more);
    if (more.length === 0) break;
  }
  const told = events
    .toReversed()
    .flatMap(({ request_data: body, response_status: status }) =>
      body.build_name === undefined ? [] : [`${body.build_name} ${body.build_status} ${status}`],
    );
  return { hookId, told, oldest: events.at(-1)?.id ?? 0 };
}

describe("one microVM per job", () => {
  it("when hooks come as they should, `created` before `pending` among them", async () => {
    const world = await start("ordinary");
    const pushed = await world.push("ordinary", twoStages);
    await expectOneMicrovmPerJob(world, pushed, 3);
    await world.gitlab.hooksDelivered();
    const { told } = await deliveries(world, pushed);
    const third = told.filter((line) => line.startsWith("third "));
    expect(third.slice(0, 2)).toEqual(["third created 200", "third pending 200"]);
    expect(third.slice(2).toSorted()).toEqual(["third running 200", "third success 200"]);
  });

  it("when the same hook comes ten times while its job waits, and ten times more when it is over", async () => {
    const world = await start("repeated");
    world.gitlab.setDials({ hooks: { dropShare: 1 } });
    const pushed = await world.push("repeated", oneJob);
    world.gitlab.setDials({});
    const { hookId } = await deliveries(world, pushed);
    const events = `projects/${pushed.project.id}/hooks/${hookId}`;
    await world.api("POST", `${events}/test/job_events`);
    const { told, oldest } = await deliveries(world, pushed);
    // The job may run already.
    expect(told[0]).toBe("only pending 200");
    const tenTimes = () => Promise.all(Array.from({ length: 10 }, () => world.api("POST", `${events}/events/${oldest}/resend`)));
    expect(await tenTimes()).toEqual(Array(10).fill({ response_status: 200 }));
    await world.jobsWhenOver(pushed);
    expect(await tenTimes()).toEqual(Array(10).fill({ response_status: 200 }));
    await expectOneMicrovmPerJob(world, pushed, 1);
  });

  it("when hooks come in reverse order", async () => {
    const world = await start("reversed");
    world.gitlab.setDials({ hooks: { reverseBatch: 50, reverseWaitMs: 300, lanes: 1 } });
    const pushed = await world.push("reversed", twoStages);
    await expectOneMicrovmPerJob(world, pushed, 3);
    await world.gitlab.hooksDelivered();
    const { told } = await deliveries(world, pushed);
    const at = (line: string) => told.indexOf(`${line} 200`);
    expect(told).toHaveLength(12);
    for (const name of ["first", "second"]) expect(at(`${name} pending`), told.join("\n")).toBeLessThan(at(`${name} created`));
  });

  it("when no hook comes at all: polls find everything", async () => {
    const world = await start("polled", { pollS: 1 });
    world.gitlab.setDials({ hooks: { dropShare: 1 } });
    const pushed = await world.push("polled", twoStages);
    await expectOneMicrovmPerJob(world, pushed, 3);
    expect((await deliveries(world, pushed)).told).toEqual([]);
  });

  it.each([
    ["with a number as commit.id, dates in Rails' way, no tags, no runner and no environment", jobHook15],
    ["with an environment that is an object", jobHook16],
  ])("when one genuine hook of another version is all that comes, %s", async (_name, payload) => {
    const world = await start("by-hand");
    world.gitlab.setDials({ hooks: { dropShare: 1 } });
    const pushed = await world.push("by-hand", oneJob);
    const [job] = await world.client.jobs(pushed.project.id, pushed.pipeline.id);
    const response = await fetch(world.webhook.url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-gitlab-event": "Job Hook", "x-gitlab-token": world.webhook.secret },
      body: JSON.stringify({ ...payload, project_id: pushed.project.id, build_id: job?.id }),
    });
    expect([response.status, await response.json()]).toEqual([200, { outcome: "hinted" }]);
    await expectOneMicrovmPerJob(world, pushed, 1);
  });

  it("when every second hook comes twice, a third of them never, and all of them late", async () => {
    const world = await start("torn", { pollS: 1 });
    world.gitlab.setDials({ hooks: { dropShare: 0.3, duplicateShare: 0.5, delayMs: 150 } });
    await expectOneMicrovmPerJob(world, await world.push("torn", twoJobs), 2);
  });
});
