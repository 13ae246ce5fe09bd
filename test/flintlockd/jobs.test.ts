import { afterAll, beforeAll, expect, it } from "vitest";
import { describeFlintlockd, type FlintlockdWorld, startFlintlockdWorld, startLimitMs } from "./world.fixture.js";

describeFlintlockd("a service with a real flintlockd", () => {
  let world: FlintlockdWorld;
  beforeAll(async () => {
    world = await startFlintlockdWorld({ onVmLoss: "cancel" });
  }, startLimitMs);
  afterAll(() => world?.stop());

  it("runs a job of GitLab's in a microVM with an address of its own, and leaves nothing", async () => {
    const pushed = await world.push(
      "one",
      "one:\n  script:\n    - uname -sr\n    - ip -4 -brief address show eth1\n    - test -e /dev/vda\n",
    );
    const jobs = await world.jobsWhenOver(pushed);
    const log = await world.client.log(pushed.project.id, jobs.get("one")?.id ?? 0);
    expect(jobs.get("one")?.status, `${log}\n${world.lastWords()}`).toBe("success");
    expect(log).toContain("Linux 6.1.");
    await world.nothingLeft();
  });
});
