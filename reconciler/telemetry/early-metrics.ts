import type { Metrics, MetricsRecorder } from "./metrics.js";

/** Metrics that are counted before what renders them is loaded. */
export interface EarlyMetrics {
  readonly recorder: MetricsRecorder;
  /** Loads the rest, counts there what was told before, and has it told there from then on. */
  load(): Promise<Metrics>;
}

/** Its library takes a twentieth of a start. What is told meanwhile is kept: `load` is to be called within seconds. */
export function createEarlyMetrics(): EarlyMetrics {
  let metrics: Metrics | undefined;
  const told: ((metrics: Metrics) => void)[] = [];
  const recorder = new Proxy({} as MetricsRecorder, {
    get(_target, name) {
      const key = name as keyof MetricsRecorder;
      if (metrics !== undefined) return metrics[key];
      return (...args: readonly unknown[]) => told.push((loaded) => (loaded[key] as (...args: readonly unknown[]) => void)(...args));
    },
  });
  return {
    recorder,
    async load() {
      const { createMetrics } = await import("./metrics.js");
      metrics ??= createMetrics();
      for (const tell of told.splice(0)) tell(metrics);
      return metrics;
    },
  };
}
