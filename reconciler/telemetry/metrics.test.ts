import { describe, expect, it } from "vitest";
import type { Job } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import type { Kind, Records } from "../model/records.js";
import { createMetrics } from "./metrics.js";
import { type WatchedStore, watchStore } from "./watch-store.js";

type Listener = Parameters<WatchedStore["watch"]>[0];

/** As much of a store as the metrics look at. */
class Shelf implements WatchedStore {
  readonly #records = new Map<string, unknown>();
  readonly #listeners = new Set<Listener>();

  get<K extends Kind>(kind: K, key: string) {
    const value = this.#records.get(`${kind}:${key}`);
    return value === undefined ? undefined : { value: value as Records[K] };
  }

  list<K extends Kind>(kind: K) {
    const own = [...this.#records].filter(([at]) => at.startsWith(`${kind}:`));
    return own.map(([at, value]) => ({ key: at.slice(kind.length + 1), value: value as Records[K] }));
  }

  watch(listener: Listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  put<K extends Kind>(kind: K, key: string, value: Partial<Records[K]> | null): void {
    if (value === null) this.#records.delete(`${kind}:${key}`);
    else this.#records.set(`${kind}:${key}`, value);
    for (const listener of this.#listeners) listener({ changed: [{ kind, key }] });
  }
}

const job = (value: Partial<Job>): Partial<Job> => value;
const vm = (value: Partial<Microvm>): Partial<Microvm> => value;
const sample = (text: string, name: string) =>
  Number(
    text
      .split("\n")
      .find((line) => line.startsWith(`${name} `))
      ?.split(" ")[1] ?? Number.NaN,
  );

describe("metrics of a store", () => {
  it("count a job once, when it becomes finished", async () => {
    const store = new Shelf();
    const metrics = createMetrics();
    store.put("job", "gl/1/1", job({ status: "failed" }));
    const end = watchStore(store, metrics);
    store.put("job", "gl/1/1", job({ status: "failed" }));
    store.put("job", "gl/1/2", job({ status: "running", startedAt: 1000 }));
    store.put("job", "gl/1/2", job({ status: "success", startedAt: 1000, finishedAt: 3500 }));
    store.put("job", "gl/1/2", job({ status: "success", startedAt: 1000, finishedAt: 3500 }));
    store.put("job", "gl/1/3", job({ status: "canceled" }));
    end();
    store.put("job", "gl/1/4", job({ status: "success" }));
    const text = await metrics.read();
    expect(sample(text, 'firerunner_jobs_total{status="success"}')).toBe(1);
    expect(sample(text, 'firerunner_jobs_total{status="canceled"}')).toBe(1);
    expect(text).not.toContain('status="failed"');
    expect(sample(text, "firerunner_job_duration_seconds_sum")).toBe(2.5);
    expect(sample(text, "firerunner_job_duration_seconds_count")).toBe(1);
  });

  it("count waiting jobs that no pool takes, and those of a connection without any as none", async () => {
    const store = new Shelf();
    const metrics = createMetrics();
    watchStore(store, metrics);
    for (const connection of ["gl", "other"]) store.put("connection", connection, {});
    const waits = (code: string) => job({ connection: "gl", status: "pending", waitingReason: { code, message: "" } });
    store.put("job", "gl/1/1", waits("FR-NO-POOL"));
    store.put("job", "gl/1/2", waits("FR-SIZE-REFUSED"));
    store.put("job", "gl/1/3", waits("FR-POOL-LIMIT"));
    store.put("job", "gl/1/4", { ...waits("FR-NO-POOL"), status: "canceled" });
    const text = await metrics.read();
    expect(sample(text, 'firerunner_unmatched_jobs{connection="gl"}')).toBe(2);
    expect(sample(text, 'firerunner_unmatched_jobs{connection="other"}')).toBe(0);
  });

  it("count a lost job once, when the forge has confirmed that it runs", async () => {
    const store = new Shelf();
    const metrics = createMetrics();
    watchStore(store, metrics);
    const vmLoss = { at: 1, code: "FR-GUEST-LOST", message: "silence", policy: "cancel" } as const;
    const confirmed = job({ status: "running", pool: "small", vmLoss: { ...vmLoss, confirmedAt: 2 } });
    store.put("job", "gl/1/1", job({ status: "running", pool: "small", vmLoss }));
    expect(await metrics.read()).not.toContain('policy="cancel"');
    store.put("job", "gl/1/1", confirmed);
    store.put("job", "gl/1/1", { ...confirmed, status: "canceled" });
    expect(sample(await metrics.read(), 'firerunner_jobs_lost_total{pool="small",policy="cancel"}')).toBe(1);
  });

  it("measure a microVM's creation once and show what is active by pool and phase", async () => {
    const store = new Shelf();
    const metrics = createMetrics();
    watchStore(store, metrics);
    store.put("microvm", "vm-a", vm({ pool: "small", phase: "allocated", allocatedAt: 1000 }));
    store.put("microvm", "vm-a", vm({ pool: "small", phase: "booting", allocatedAt: 1000, createdAt: 2500 }));
    store.put("microvm", "vm-a", vm({ pool: "small", phase: "parked", allocatedAt: 1000, createdAt: 2500, claimedAt: 9000 }));
    store.put("microvm", "vm-b", vm({ pool: "small", phase: "parked", allocatedAt: 1000, claimedAt: 4000 }));
    const text = await metrics.read();
    expect(sample(text, "firerunner_vm_creation_duration_seconds_sum")).toBe(4.5);
    expect(sample(text, 'firerunner_vms_active{pool="small",phase="parked"}')).toBe(2);
    store.put("microvm", "vm-a", null);
    store.put("microvm", "vm-b", null);
    expect(await metrics.read()).not.toContain('phase="parked"');
  });

  it("count of how many a condition is true", async () => {
    const store = new Shelf();
    const metrics = createMetrics();
    watchStore(store, metrics);
    for (const [name, status] of Object.entries({ a: true, b: true, c: false })) {
      const subject = { kind: "microvm", name };
      store.put("condition", `microvm/${name}/DeleteStuck`, { subject, type: "DeleteStuck", status });
    }
    expect(sample(await metrics.read(), 'firerunner_conditions{type="DeleteStuck"}')).toBe(2);
  });

  it("have a registry for each service, and every name from the start", async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.webhook("gl", "hinted");
    one.effect("create", "done");
    one.reconciled(0.002);
    const text = await one.read();
    expect(sample(text, 'firerunner_webhooks_total{connection="gl",outcome="hinted"}')).toBe(1);
    expect(sample(text, 'firerunner_effects_total{effect="create",outcome="done"}')).toBe(1);
    expect(sample(text, "firerunner_reconcile_duration_seconds_count")).toBe(1);
    expect(await other.read()).not.toContain("hinted");
    for (const name of [
      "firerunner_jobs_total",
      "firerunner_conditions",
      "firerunner_vms_active",
      "firerunner_vm_creation_duration_seconds",
      "firerunner_job_duration_seconds",
    ]) {
      expect(text).toContain(`# TYPE ${name} `);
    }
  });
});
