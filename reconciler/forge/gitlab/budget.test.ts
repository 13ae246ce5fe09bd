import { expect, it, onTestFinished } from "vitest";
import { oneJob, startTestGitLab } from "../../embedded/gitlab/gitlab.fixture.js";
import { connectionSchema } from "../../model/connection.js";
import { ManualClock } from "../../model/manual-clock.fixture.js";
import { Budget } from "./budget.js";
import { createGitLabForge } from "./gitlab-forge.js";

it("goes by what GitLab tells: it keeps a fifth for what is hot, and never has to be told that it was too much", async () => {
  const clock = new ManualClock();
  const { api, gitlab, push } = await startTestGitLab(clock);
  const { projectId } = await push("root/wharf", { ".gitlab-ci.yml": oneJob });
  const [job] = (await api("GET", `/projects/${projectId}/jobs`)).body;
  const outcomes: string[] = [];
  const forge = createGitLabForge({
    clock,
    random: { next: () => 0.5, hex: () => "" },
    resolveSecret: () => gitlab.token,
    onRequest: (_connection, outcome) => outcomes.push(outcome),
  });
  onTestFinished(() => forge.stop());
  const connection = connectionSchema.parse({ name: "wharf", kind: "gitlab", url: gitlab.url, token: "env:TOKEN", scope: { projectId } });
  gitlab.setDials({ rateLimits: { perToken: { requests: 20, periodS: 60 } } });
  const read = () => forge.readJob(connection, projectId, job.id);
  const limited = { code: "FR-FORGE-RATE-LIMITED", retryable: true, details: { sent: false } };

  for (let n = 0; n < 16; n += 1) await read();
  expect(forge.budgets()).toEqual([{ connection: "wharf", left: 4 }]);
  await expect(forge.checkAccess(connection, false)).rejects.toMatchObject(limited);
  for (let n = 0; n < 4; n += 1) expect(await read()).toMatchObject({ jobId: job.id });
  await expect(read()).rejects.toMatchObject(limited);
  expect(outcomes).toEqual(Array(20).fill("ok"));

  await clock.advance(60_000);
  expect(await forge.activeJobs(connection)).toMatchObject({ jobs: [{ jobId: job.id }] });
});

it("forgets what it was told at times that are yet to come, when the clock was set back", () => {
  const later = 90_000_000;
  const budget = new Budget(() => 0.5);
  for (let n = 0; n < 5; n += 1) budget.spend(later);
  budget.heed({ status: 429, headers: { "retry-after": "600" } }, later);
  expect(budget.waitMs("hot", undefined, 0, later)).toBe(600_000);
  expect(budget.waitMs("background", undefined, 0, later)).toBe(605_000);
  expect(budget.waitMs("background", 5, 0, later - 86_400_000)).toBe(0);
});
