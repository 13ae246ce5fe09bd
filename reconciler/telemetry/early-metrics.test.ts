import { expect, it } from "vitest";
import { createEarlyMetrics } from "./early-metrics.js";

it("counts what was told before and after it was loaded, once", async () => {
  const { recorder, load } = createEarlyMetrics();
  recorder.countVms(() => [{ pool: "small", phase: "busy", count: 3 }]);
  recorder.jobFinished("success");
  const early = recorder.jobFinished;
  const metrics = await load();
  expect(await load()).toBe(metrics);
  recorder.jobFinished("success");
  metrics.jobFinished("failed");
  const text = await metrics.read();
  expect(text).toContain('firerunner_jobs_total{status="success"} 2');
  expect(text).toContain('firerunner_jobs_total{status="failed"} 1');
  expect(text).toContain('firerunner_vms_active{pool="small",phase="busy"} 3');
  early("success");
  await load();
  expect(await metrics.read()).toContain('firerunner_jobs_total{status="success"} 3');
});
