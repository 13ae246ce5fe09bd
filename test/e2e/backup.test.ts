import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { run } from "../../reconciler/cli/cli-world.fixture.js";
import { endOf } from "./child.fixture.js";
import { until } from "./until.fixture.js";
import { startWorld, type World } from "./world.fixture.js";

let world: World | undefined;
afterEach(() => world?.stop());

const job = (name: string, script: readonly string[]) => `${name}: {script: ${JSON.stringify(script)}}\n`;

it("a backup of a service at work is restored hours later: what was told is back, what runs ends, what is not true any more is forgotten", async () => {
  const started = await startWorld({ pollS: 1, pool: { minIdle: 1 } });
  world = started;
  const { directory, client } = started;
  const config = join(directory, "firerunner.yaml");
  const state = join(directory, "state");
  const backup = join(directory, "firerunner.backup");
  const cli = (...args: readonly string[]) => {
    const env = {
      FIRERUNNER_URL: readFileSync(join(state, "admin-url"), "utf8").trim(),
      FIRERUNNER_TOKEN: readFileSync(join(state, "admin-token"), "utf8").trim(),
    };
    return run(args, { env });
  };
  const restore = (file = backup) => run(["restore", file, "--config", config]);
  let serve = started.startServe();
  await started.serviceAnswers();

  const before = await started.push("before", { ".gitlab-ci.yml": job("early", ["echo ran 42"]) });
  await started.jobsWhenOver(before);
  expect((await cli("pause", "pool", "e2e")).code).toBe(0);
  const made = await cli("backup", backup);
  expect(made).toEqual({
    code: 0,
    err: "",
    out: expect.stringMatching(/^\S+firerunner\.backup: \d+ records of owner "e2e" in \d+ bytes, made at \S+Z; keep/),
  });
  expect(statSync(backup).mode & 0o777).toBe(0o600);
  expect((await cli("backup", backup)).err).toMatch(/^error FR-INVALID: \S+ is there already/);
  expect((await restore()).err).toMatch(/^error FR-STORE: the store file \S+ is in use: stop the service first/);
  expect((await cli("resume", "pool", "e2e")).code).toBe(0);

  // Much happens that the backup knows nothing of; a job is still running when the store is rolled back.
  const release = join(directory, "release");
  const after = await started.push("after", {
    ".gitlab-ci.yml": job("over", ["echo ran 42"]) + job("runs", [`until test -e ${release}; do sleep 0.1; done`, "echo ran 42"]),
  });
  await until("one job is over and the other runs", async () => {
    const jobs = await client.jobs(after.project.id, after.pipeline.id);
    return (
      jobs
        .map(({ status }) => status)
        .toSorted()
        .join() === "running,success"
    );
  });
  serve.signal("SIGTERM");
  expect(await endOf(serve)).toBe(0);

  const key = join(state, "key");
  renameSync(key, `${key}.kept`);
  expect((await restore()).err).toMatch(/^error FR-CONFIG: the service's key \S+ cannot be read/);
  writeFileSync(key, "ab".repeat(32));
  expect((await restore()).err).toMatch(/^error FR-STORE-SEALED: .* was made with another key/);
  renameSync(`${key}.kept`, key);
  const restored = await restore();
  expect(restored).toMatchObject({ code: 0, err: "" });
  expect(restored.out).toMatch(/^restored \S+ of \S+Z: 5 of its \d+ records, .*\nthe store that was there is (\S+) now\nstart the service/);
  expect(existsSync(/there is (\S+) now/.exec(restored.out)?.[1] ?? "")).toBe(true);

  serve = started.startServe();
  await started.serviceAnswers();
  expect((await cli("get", "pools")).out).toMatch(/^e2e .* paused /m);
  expect((await cli("resume", "pool", "e2e")).code).toBe(0);
  writeFileSync(release, "");
  const jobs = await started.jobsWhenOver(after);
  expect([...jobs.values()].map(({ status }) => status)).toEqual(["success", "success"]);
  for (const { id } of jobs.values()) expect((await client.log(after.project.id, id)).match(/^ran 42$/gm)).toHaveLength(1);
  await started.nothingLeft(1);
  serve.signal("SIGTERM");
  expect(await endOf(serve)).toBe(0);
});
