/** One measured number. A floor is what the same thing costs with nothing of the product in it. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: "ms" | "/s" | "%" | "";
  readonly floor?: true;
}

/** What a bench is told: a smoke run only shows that it works. */
export interface RunOptions {
  readonly smoke: boolean;
}

/** One bench: `run` measures once, floors included, and gives the same figures every time. */
export interface Bench {
  readonly name: string;
  /** What is measured, in a line. */
  readonly about: string;
  run(options: RunOptions): Promise<readonly Figure[]>;
}

/** The value below which the share `q` (0 to 1) of the values lies; they need no order. NaN when there are none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** The two quantiles of durations in milliseconds that every bench tells. */
export function latencies(name: string, ms: readonly number[], floor?: true): readonly Figure[] {
  const mark = floor === undefined ? {} : { floor };
  return [0.5, 0.99].map((q) => ({ name: `${name}, p${q * 100}`, value: quantile(ms, q), unit: "ms", ...mark }));
}
