import { describe, expect, it } from "vitest";
import { ManualClock } from "../model/manual-clock.fixture.js";
import { aConnection, aJob, aPool, aVm } from "../plan/snapshot.fixture.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import type { Write } from "../store/port.js";
import { createMetrics } from "./metrics.js";
import { watchQueues } from "./watch-queues.js";

async function watched() {
  const clock = new ManualClock();
  const store = createMemoryStore({ clock, random: { next: () => 0.5, hex: () => "00" } });
  const metrics = createMetrics();
  const declared = { spec: aPool(), generation: 1, order: 0, declaredAt: 0 };
  const put = (...writes: readonly Omit<Write, "expect">[]) =>
    store.commit({ writes: writes.map((write) => ({ ...write, expect: "any" })) as Write[] });
  await put(
    { kind: "pool", key: "pool", value: declared },
    { kind: "pool", key: "other", value: { ...declared, spec: aPool({ name: "other" }) } },
  );
  watchQueues(store, metrics, clock);
  const lines = async (name: string) => (await metrics.read()).split("\n").filter((line) => line.startsWith(name));
  return { clock, store, put, lines, metrics };
}

describe("the metrics of queues", () => {
  it("tell how many jobs wait for each pool, and for how long", async () => {
    const { clock, put, lines } = await watched();
    const waiting = (jobId: number, sinceMs: number) =>
      ({ kind: "job", key: `forge/7/${jobId}`, value: aJob({ jobId, pool: "pool", queuedAt: clock.now() - sinceMs }) }) as const;
    await put(waiting(1, 5_000), waiting(2, 90_000), { kind: "job", key: "forge/7/3", value: aJob({ jobId: 3, queuedAt: 0 }) });
    expect(await lines("firerunner_jobs_waiting{")).toEqual([
      'firerunner_jobs_waiting{pool="other"} 0',
      'firerunner_jobs_waiting{pool="pool"} 2',
    ]);
    await clock.advance(10_000);
    expect(await lines("firerunner_oldest_waiting_job_seconds{")).toEqual([
      'firerunner_oldest_waiting_job_seconds{pool="other"} 0',
      'firerunner_oldest_waiting_job_seconds{pool="pool"} 100',
    ]);
  });

  it("measure once how long a job waited for its microVM, and how long that one booted", async () => {
    const { put, lines } = await watched();
    const job = aJob({ pool: "pool", vm: "vm-one", status: "running", queuedAt: 1_000, startedAt: 8_000 });
    const vm = aVm({ createSentAt: 2_000, claimedAt: 5_000 });
    for (let n = 0; n < 2; n += 1) await put({ kind: "job", key: "forge/7/1", value: job }, { kind: "microvm", key: "vm-one", value: vm });
    expect(await lines("firerunner_job_wait_seconds_sum")).toEqual(['firerunner_job_wait_seconds_sum{pool="pool"} 7']);
    expect(await lines("firerunner_job_wait_seconds_count")).toEqual(['firerunner_job_wait_seconds_count{pool="pool"} 1']);
    expect(await lines("firerunner_vm_boot_duration_seconds_sum")).toEqual([
      'firerunner_vm_boot_duration_seconds_sum{pool="pool",first_use="false"} 3',
    ]);
  });

  it("tell boots for which a host had to pull the image from others", async () => {
    const { put, lines } = await watched();
    const vm = aVm({ createSentAt: 2_000, claimedAt: 32_000, firstUse: true });
    await put({ kind: "microvm", key: "vm-one", value: vm });
    expect(await lines("firerunner_vm_boot_duration_seconds_sum")).toEqual([
      'firerunner_vm_boot_duration_seconds_sum{pool="pool",first_use="true"} 30',
    ]);
  });

  it("measure once how long each stage of a boot took, the runner's when that is ready", async () => {
    const { put, lines } = await watched();
    const stages = async () => (await lines("firerunner_vm_boot_stage_seconds_sum")).map((line) => line.replace(/.*stage="(\w+)"}/, "$1"));
    const report = {
      vm: "vm-one",
      bootId: "b",
      secretSha256: "0".repeat(64),
      claimedAt: 5_000,
      bootMs: { init: 500, claim: 2_000, other: 1 },
    };
    await put({ kind: "guestReport", key: "vm-one", value: report });
    const vm = aVm({ allocatedAt: 1_000, createSentAt: 2_000, claimedAt: 5_000 });
    await put({ kind: "microvm", key: "vm-one", value: vm });
    const upToTheClaim = ["create 1", "kernel 1", "init 0.5", "claim 1.5"];
    expect(await stages()).toEqual(upToTheClaim);
    for (let n = 0; n < 2; n += 1) await put({ kind: "guestReport", key: "vm-one", value: { ...report, startedAt: 5_250 } });
    await put({ kind: "microvm", key: "vm-one", value: { ...vm, phase: "assigned" } });
    expect(await stages()).toEqual([...upToTheClaim, "runner 0.25"]);
  });

  it("tell how webhooks stand, and count runners that were left over", async () => {
    const { put, store, lines } = await watched();
    const value = {
      ...{ subject: { kind: "connection", name: aConnection().name }, type: "WebhookRegistered", status: false, reason: "Muted" },
      ...{ message: "", observedAt: 0, count: 0 },
    };
    await put({ kind: "condition", key: "connection/forge/WebhookRegistered", value });
    expect(await lines("firerunner_webhook_registered{")).toEqual(['firerunner_webhook_registered{connection="forge"} 0']);
    const event = { at: 0, type: "RunnerAdopted", subject: { kind: "identity", name: "vm-one" }, message: "" };
    await store.commit({ writes: [], events: [event] });
    expect(await lines("firerunner_runner_leftovers_total")).toEqual(["firerunner_runner_leftovers_total 1"]);
  });
});

it("the catalogue has what operators ask for", async () => {
  const { metrics } = await watched();
  metrics.countBudgets(() => [{ connection: "forge", left: 12 }]);
  metrics.forgeRequest("forge", "limited");
  metrics.foundByPolling("forge", 2);
  metrics.webhookLag("forge", 0.7);
  const text = await metrics.read();
  for (const line of [
    'firerunner_forge_budget_left{connection="forge"} 12',
    'firerunner_forge_requests_total{connection="forge",outcome="limited"} 1',
    'firerunner_events_found_by_polling_total{connection="forge"} 2',
    'firerunner_webhook_lag_seconds_bucket{le="1",connection="forge"} 1',
    "# TYPE firerunner_unmatched_jobs gauge",
    "# TYPE firerunner_runner_leftovers_total counter",
  ]) {
    expect(text).toContain(line);
  }
});
