import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { isOver } from "../../reconciler/cli/dev/gitlab-client.js";
import { type Operation, operationKey } from "../../reconciler/model/front-door.js";
import { type HostsWorld, startHostsWorld } from "./hosts-world.fixture.js";
import { until } from "./until.fixture.js";

let world: HostsWorld | undefined;

afterEach(async () => {
  await world?.stop();
  world = undefined;
});

describe("a job whose host burns down", () => {
  it("is cancelled in GitLab and retried on another host", async () => {
    let runs = 0;
    const work = async (power: AbortSignal) => {
      runs += 1;
      if (runs === 1) await pause(600_000, undefined, { signal: power });
    };
    const of = await startHostsWorld({ hosts: 2, seed: 5, pool: { onVmLoss: "cancel-and-retry" }, work });
    world = of;
    const { project, pipeline } = await of.push("burns", "only: {script: [exit 0]}\n");
    const { store } = of.service;
    const busy = () => store.list("microvm").find(({ value }) => value.phase === "busy")?.value;
    await until("the job runs", () => busy() !== undefined, { everyMs: 50 });
    const { host: name = "", uid = "", name: vm = "" } = busy() ?? {};
    await of.hosts.find((host) => host.microvms().some((shown) => shown.uid === uid))?.powerOff(uid);
    const forget: Operation = { subject: { kind: "host", name }, operation: "forget", by: "a test", at: Date.now() };
    await store.commit({ writes: [{ kind: "operation", key: operationKey(forget), value: forget, expect: "any" }] });
    const status = async () => (await of.client.pipeline(project.id, pipeline.id)).status;
    await until("the pipeline is over", async () => runs === 2 && isOver(await status()), { everyMs: 100 });
    expect(await status()).toBe("success");
    const losses = () => store.list("job").flatMap(({ value }) => (value.vmLoss === undefined ? [] : [value]));
    // What the forge tells of the lost job may be read after the other one is over.
    await until("the end of the lost job is known", () =>
      losses().every(({ status, vmLoss }) => status === "canceled" && vmLoss?.retriedAs),
    );
    const lost = losses();
    expect(lost).toMatchObject([{ status: "canceled", vm, vmLoss: { code: "FR-VM-VANISHED", retriedAs: expect.any(Number) } }]);
    const events = store.events({ after: 0, limit: 1_000 });
    const told = events.find(({ type }) => type === "JobLost")?.message;
    expect(told).toContain(`${of.gitlab.url}/root/burns/-/jobs/${lost[0]?.jobId}`);
  });
});
