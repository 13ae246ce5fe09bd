import { expect, it, onTestFinished } from "vitest";
import { startTestGitLab } from "../../embedded/gitlab/gitlab.fixture.js";
import { systemClock } from "../../model/clock.js";
import { connectionSchema } from "../../model/connection.js";
import { ManualClock } from "../../model/manual-clock.fixture.js";
import { createGitLabForge } from "./gitlab-forge.js";

const minute = 60_000;

async function aWaitingJob() {
  const clock = new ManualClock();
  const { gitlab, api, push } = await startTestGitLab(clock);
  const { projectId } = await push("root/patient", { ".gitlab-ci.yml": "only: {tags: [vm, small], script: [exit 0]}\n" });
  const forge = createGitLabForge({ clock: systemClock, random: { next: () => 0.5, hex: () => "" }, resolveSecret: () => gitlab.token });
  onTestFinished(() => forge.stop());
  const connection = connectionSchema.parse({ name: "forge", kind: "gitlab", url: gitlab.url, token: "env:TOKEN", scope: { projectId } });
  const status = async () => (await api("GET", `/projects/${projectId}/jobs`)).body[0].status as string;
  expect(await status()).toBe("pending");
  return { clock, forge, connection, status };
}

it("keeps a job waiting at the embedded GitLab for two hours, and takes it never", async () => {
  const { clock, forge, connection, status } = await aWaitingJob();
  const request = { description: "firerunner/acme/pool/pr-one", tags: ["vm", "small"], runUntagged: false, maxJobTimeoutS: 600 };
  const { runnerId, token } = await forge.makeRunner(connection, { ...request, paused: true });
  for (let rounds = 0; rounds < 3; rounds++) {
    expect(await forge.showRunner(connection, token)).toEqual({ state: "heard" });
    expect(await forge.unpauseRunner(connection, runnerId)).toBe("unpaused");
    await clock.advance(45 * minute);
    expect(await status()).toBe("pending");
    expect(await forge.pauseRunner(connection, runnerId)).toBe("paused");
  }
  expect(await forge.runningJobs(connection, runnerId)).toEqual([]);
  // It would be given the job if it asked while it is not paused; that job is failed at once, so that it may be retried.
  await forge.unpauseRunner(connection, runnerId);
  expect(await forge.showRunner(connection, token)).toMatchObject({ state: "given", ended: true });
  expect(await status()).toBe("failed");
  await forge.deleteRunner(connection, runnerId);
  expect(await forge.showRunner(connection, token)).toEqual({ state: "absent" });
  expect(await forge.readRunner(connection, runnerId)).toBeUndefined();
});

it("loses it after an hour when nothing stands for it, or only what is paused", async () => {
  const { clock, forge, connection, status } = await aWaitingJob();
  const request = { description: "firerunner/acme/pool/pr-one", tags: ["vm", "small"], runUntagged: false, maxJobTimeoutS: 600 };
  const { token } = await forge.makeRunner(connection, { ...request, paused: true });
  expect(await forge.showRunner(connection, token)).toEqual({ state: "heard" });
  await clock.advance(59 * minute);
  expect(await status()).toBe("pending");
  await clock.advance(2 * minute);
  expect(await status()).toBe("failed");
});
