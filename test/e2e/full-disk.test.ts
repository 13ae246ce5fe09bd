import { randomBytes } from "node:crypto";
import { appendFileSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { jobHook15 } from "../../reconciler/forge/gitlab/webhook-payloads.fixture.js";
import { mountSmallDisk, type SmallDisk } from "../redis/small-disk.fixture.js";
import { until } from "./until.fixture.js";
import { startWorld, type World } from "./world.fixture.js";

let world: World | undefined;
let disk: SmallDisk | undefined;
let mounted = "";

afterEach(async () => {
  try {
    await world?.stop();
  } finally {
    disk?.unmount();
    if (mounted !== "") rmSync(mounted, { recursive: true, force: true });
  }
});

/** Leaves no room on the disk that holds a directory. */
function fill(directory: string): string {
  const file = join(directory, "filler");
  writeFileSync(file, "");
  for (const bytes of [65_536, 4_096, 512, 1]) {
    try {
      for (;;) appendFileSync(file, randomBytes(bytes));
    } catch {
      // There is room for less than that.
    }
  }
  return file;
}

it("while the disk is full webhooks are refused with 503, and when there is room again everything goes on by itself", async ({ skip }) => {
  const started = await startWorld({ pollS: 1 });
  world = started;
  const { client, webhook } = started;
  // Elsewhere: what is mounted cannot be removed with the world.
  mounted = mkdtempSync(join(tmpdir(), "firerunner-disk-"));
  const state = join(started.directory, "state");
  symlinkSync(mounted, state);
  disk = mountSmallDisk(mounted);
  if (disk === undefined) skip("mounting a file system of its own is not allowed here: the test needs root");
  await client.ensureProject("root/harbour");
  await started.startService();
  const hook = (jobId: number) =>
    fetch(webhook.url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-gitlab-token": webhook.secret, "x-gitlab-event": "Job Hook" },
      body: JSON.stringify({ ...jobHook15, build_id: jobId, project_id: 9_999, build_status: "pending" }),
    });
  const runs = join(started.directory, "runs");
  const release = join(started.directory, "release");
  writeFileSync(runs, "");
  const work = (name: string, more: string) => `${name}: {script: ${JSON.stringify([`echo ${name} >> ${runs}`, more])}}`;
  const first = await started.push("harbour", {
    ".gitlab-ci.yml": [work("waits", `until test -e ${release}; do sleep 0.1; done`), work("short", "true"), ""].join("\n"),
  });
  await until("both jobs have begun", async () =>
    (await client.jobs(first.project.id, first.pipeline.id)).every(({ status }) => status === "running" || status === "success"),
  );
  expect((await hook(1)).status).toBe(200);

  const filler = fill(state);
  const refused = await until("a webhook is refused", async () => {
    const answer = await hook(2 + Math.floor(Math.random() * 1_000_000));
    return answer.status === 200 ? undefined : { status: answer.status, body: await answer.json() };
  });
  expect(refused).toEqual({ status: 503, body: expect.objectContaining({ code: "FR-STORE" }) });
  // A job ends, and another pipeline comes, while nothing can be written.
  writeFileSync(release, "");
  const second = await started.push("harbour", { ".gitlab-ci.yml": `${work("later", "true")}\n` });
  await until("the job has ended in GitLab", async () =>
    (await client.jobs(first.project.id, first.pipeline.id)).every(({ status }) => status === "success"),
  );
  const answers: number[] = [];
  for (let n = 0; n < 20; n += 1) answers.push((await hook(2_000_000 + n)).status);
  expect(new Set(answers)).toEqual(new Set([503]));
  expect(existsSync(join(state, "store.db"))).toBe(true);

  rmSync(filler);
  await until("webhooks are taken again", async () => (await hook(3)).status === 200);
  const jobs = await started.jobsWhenOver(second);
  expect([...jobs.values()].map(({ name, status }) => [name, status])).toEqual([["later", "success"]]);
  let known = "";
  const allAreKnown = async () => {
    known = (await started.knownJobs(first.project.id))
      .map(({ name, status }) => `${name} ${status}`)
      .toSorted()
      .join();
    return known === "later success,short success,waits success";
  };
  await until("the service knows how all jobs ended", allAreKnown, { tell: () => known });
  await started.nothingLeft();
});
