import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { until } from "../e2e/until.fixture.js";
import { deadlineMs, describeFlintlockd, type FlintlockdWorld, startFlintlockdWorld, startLimitMs } from "./world.fixture.js";

/** Answers 503 until the word is given. */
async function startWord(address: string) {
  let given = false;
  const server = createServer((_request, answer) => answer.writeHead(given ? 200 : 503).end("go on\n"));
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const give = () => {
    given = true;
  };
  return { url: `http://${address}:${(server.address() as AddressInfo).port}`, give, stop: () => void server.close() };
}

describeFlintlockd("a service with a real flintlockd", () => {
  let world: FlintlockdWorld;
  beforeAll(async () => {
    world = await startFlintlockdWorld({ onVmLoss: "cancel" });
  }, startLimitMs);
  const gates: (() => void)[] = [];
  afterEach(() => {
    for (const stop of gates.splice(0)) stop();
  });
  afterAll(() => world?.stop());

  /** The host's id of the microVM that runs a job, once the service knows that it does. */
  const uidOfJob = (jobId: number) =>
    until(`job ${jobId} is known to run`, () => vms().find((vm) => vm.phase === "busy" && vm.job?.endsWith(`/${jobId}`))?.uid, {
      deadlineMs,
      tell: world.lastWords,
    });
  const vms = () => world.service.store.list("microvm").map(({ value }) => value);

  it("runs a job of GitLab's in a microVM with an address of its own, and leaves nothing", async () => {
    const script = ["uname -sr", "ip -4 -brief address show eth1", "test -e /dev/vda", "echo written > note", "exit 7"];
    const pushed = await world.push("one", JSON.stringify({ one: { script } }));
    const job = (await world.jobsWhenOver(pushed)).get("one");
    const log = await world.client.log(pushed.project.id, job?.id ?? 0);
    expect(job?.status, `${log}\n${world.lastWords()}`).toBe("failed");
    expect(log).toContain("Linux 6.1.");
    expect(log).toContain(world.flintlockd.network.subnet.replace(".0/24", "."));
    expect(log).toContain("exit status 7");
    await world.nothingLeft();
  });

  it("outlives its daemon, and clears away what died while it was gone", async () => {
    const word = await startWord(world.flintlockd.network.own);
    gates.push(word.stop);
    const stays = { script: [`until curl -fsS ${word.url}; do sleep 1; done`] };
    const pushed = await world.push("two", JSON.stringify({ stays, dies: { script: ["sleep 600"] } }));
    const jobs = await world.client.jobs(pushed.project.id, pushed.pipeline.id);
    const idOf = (name: string) => jobs.find((job) => job.name === name)?.id ?? 0;
    await uidOfJob(idOf("stays"));
    const dead = await uidOfJob(idOf("dies"));
    await world.flintlockd.kill();
    const pid = world.flintlockd.monitors().get(dead);
    if (pid === undefined) throw new Error(`microVM ${dead} has no monitor`);
    process.kill(pid, "SIGKILL");
    word.give();
    const over = await world.jobsWhenOver(pushed);
    expect(over.get("stays")?.status, world.lastWords()).toBe("success");
    expect(over.get("dies")?.status, world.lastWords()).toBe("canceled");
    expect(world.failures().join("\n")).toContain("FR-GUEST-LOST");
    expect(vms().length).toBeGreaterThan(0);
    await world.flintlockd.bringUp();
    await world.nothingLeft();
  });

  it("removes what is cancelled while its host builds it, though Deletes are lost then", async () => {
    const names = ["a", "b", "c", "d"];
    const pushed = await world.push("three", JSON.stringify(Object.fromEntries(names.map((name) => [name, { script: ["sleep 600"] }]))));
    await until("the host was asked for each", () => vms().filter((vm) => vm.uid !== undefined).length === names.length, {
      deadlineMs,
      tell: world.lastWords,
    });
    for (const job of await world.client.jobs(pushed.project.id, pushed.pipeline.id))
      await world.client.cancelJob(pushed.project.id, job.id);
    // A flintlockd forgets the taps of what was deleted while it was built; nobody can tell it to remove them.
    await world.nothingLeft("forgotten");
    expect([...(await world.jobsWhenOver(pushed)).values()].map(({ status }) => status)).toEqual(names.map(() => "canceled"));
  });
});
