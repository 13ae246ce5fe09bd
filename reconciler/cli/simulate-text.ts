import type { DayReport } from "../simulator/day.js";
import type { Finding, Played } from "../simulator/hunt.js";
import { table } from "./output/table.js";
import { duration } from "./output/times.js";
import type { Tally } from "./simulate-seeds.js";
import type { Terminal } from "./terminal.js";

/** What one seed did, in words. */
export function playedText({ seed, violations, jobs, lifecycles, struck }: Played, { style }: Pick<Terminal, "style">): string {
  const faults = Object.entries(struck).map(([fault, times]) => `${fault} ${times}`);
  const head = `seed ${seed}: ${jobs} jobs, ${lifecycles} microVMs made and gone; faults: ${faults.join(", ") || "none"}`;
  const end = violations.length === 0 ? style("no invariant was broken", "green") : style(violations.join("\n"), "red");
  return `${head}\n${end}`;
}

/** What many seeds did, and of what they broke how to see it again. */
export function tallyText(
  { seed, seeds, jobs, lifecycles, seconds, cpuSeconds, before, broken }: Tally,
  findings: readonly Finding[],
  asked: number | undefined,
  { style }: Pick<Terminal, "style">,
): string {
  const perSecond = (count: number, time: number) => (count / Math.max(time, 0.001)).toFixed(0);
  const rates = (time: number) => `${perSecond(jobs, time)} jobs/s, ${perSecond(lifecycles, time)} VM lifecycles/s`;
  const lines = [
    before === 0
      ? `${seeds} seeds from ${seed} on: ${jobs} jobs, ${lifecycles} microVMs made and gone in ${seconds.toFixed(1)} s (${rates(seconds)})`
      : `${seeds} seeds from ${seed} on, ${before} of them played before: ${jobs} jobs, ${lifecycles} microVMs made and gone`,
    `processor time: ${cpuSeconds.toFixed(1)} s (${rates(cpuSeconds)})`,
  ];
  if (broken.length === 0) return [...lines, style("no invariant was broken", "green")].join("\n");
  lines.push(
    style(
      `an invariant was broken by ${broken.length} of them: ${broken
        .slice(0, 20)
        .map((one) => one.seed)
        .join(", ")}`,
      "red",
    ),
  );
  for (const { seed: found, violations, parts, of, trace } of findings) {
    const jobsOption = asked === undefined ? "" : ` --jobs ${asked}`;
    lines.push(
      "",
      style(`seed ${found}`, "bold"),
      ...violations.map((violation) => `  ${violation}`),
      `  takes ${parts.length} of its ${of} faults and steps; the last that happened:`,
      ...trace.map((line) => `    ${line}`),
      `  replay: firerunner simulate --seed ${found}${jobsOption} --only ${parts.join(",")} --trace`,
    );
  }
  return lines.join("\n");
}

/** How a day went. */
export function dayText(
  { jobs, finished, lastedMs, waiting, hosts, lifecycles, violations, unserved }: DayReport,
  { style }: Pick<Terminal, "style">,
): string {
  const wait = Object.entries(waiting).map(([name, ms]) => `${name} ${duration(ms)}`);
  const rows = hosts.map(({ host, averageVcpu, mostVcpu, vcpu, averageMicrovms, mostMicrovms }) => [
    host,
    `${averageVcpu.toFixed(1)} of ${vcpu}`,
    String(mostVcpu),
    averageMicrovms.toFixed(1),
    String(mostMicrovms),
  ]);
  const left = Object.entries(unserved).map(([why, count]) => `${count} still wait: ${why}`);
  return [
    `${finished} of ${jobs} jobs ended within ${duration(lastedMs)}; ${lifecycles} microVMs`,
    `waiting: ${wait.join(", ")}`,
    table(["HOST", "VCPUS ON AVERAGE", "AT MOST", "MICROVMS ON AVERAGE", "AT MOST"], rows, style),
    ...left.map((line) => style(line, "yellow")),
    ...violations.map((line) => style(line, "red")),
  ].join("\n");
}
