import { loadavg } from "node:os";
import { table } from "../../reconciler/cli/output/table.js";
import { type Bench, type Figure, quantile } from "./figure.js";

/** All runs of one bench. */
export interface Measured {
  readonly bench: Bench;
  readonly runs: readonly (readonly Figure[])[];
}

/** A figure over all runs. */
export interface Summary extends Omit<Figure, "value"> {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function summarise({ runs }: Measured): readonly Summary[] {
  return (runs[0] ?? []).map(({ value: _value, ...figure }) => {
    const values = runs.flatMap((run) => run.filter(({ name }) => name === figure.name).map(({ value }) => value));
    return { ...figure, median: quantile(values, 0.5), min: Math.min(...values), max: Math.max(...values) };
  });
}

/** A table for people: figures first, then their floors. */
export function render(measured: Measured): string {
  const { bench, runs } = measured;
  const summaries = summarise(measured);
  const rows = [...summaries.filter(({ floor }) => floor !== true), ...summaries.filter(({ floor }) => floor === true)].map(
    ({ name, unit, floor, median, min, max }) => [
      `${floor === true ? "floor: " : ""}${name}`,
      ...[median, min, max].map((value) => format(value)),
      unit,
    ],
  );
  const head = [`${runs.length} run${runs.length === 1 ? "" : "s"}`, "median", "min", "max", "unit"];
  return `${bench.name}: ${bench.about}\n${table(head, rows, (text) => text)}\nload ${load()}\n`;
}

/** The machine's load averages: figures of a machine that others use say less. */
export const load = (): string =>
  loadavg()
    .map((average) => average.toFixed(1))
    .join(" ");

function format(value: number): string {
  return value >= 1_000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}
