import type { JobDefinition, JobNeed } from "./definition.js";
import { type Findings, Place, quote } from "./findings.js";

/** A job whose order is to be checked, with the lines of the file that say it. */
export interface PlacedJob {
  readonly job: JobDefinition;
  readonly line: number;
  readonly stageLine: number;
  readonly needs: readonly (JobNeed & { readonly line: number })[];
}

/** Says which stages and needs do not exist, which needs come too late, and which jobs wait for each other in a circle. */
export function checkOrder(stages: readonly string[], placed: readonly PlacedJob[], findings: Findings): void {
  const byName = new Map(placed.map((each) => [each.job.name, each]));
  for (const { job, line, stageLine, needs } of placed) {
    const place = new Place(findings, line, `job ${quote(job.name)}`);
    if (!stages.includes(job.stage)) {
      place.inner("stage", stageLine).say(`${quote(job.stage)} is refused: must be one of ${stages.join(", ")}`);
      continue;
    }
    for (const need of needs) {
      const needed = byName.get(need.job);
      const at = place.inner("needs", need.line);
      if (needed === undefined) {
        if (!need.optional)
          at.say(`${quote(need.job)} is refused: the file has no job of this name (say optional: true where it may be missing)`);
      } else if (stages.indexOf(needed.job.stage) > stages.indexOf(job.stage)) {
        at.say(`${quote(need.job)} is refused: it is of the later stage ${quote(needed.job.stage)}`);
      }
    }
  }
  for (const circle of circles(byName)) {
    const first = byName.get(circle[0] ?? "");
    findings.add(first?.line ?? 1, `needs: jobs wait for each other: ${[...circle, ...circle.slice(0, 1)].map(quote).join(" -> ")}`);
  }
}

/** Every circle of needs that a walk through the jobs meets, each told once. */
function circles(byName: ReadonlyMap<string, PlacedJob>): readonly (readonly string[])[] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const walk = (name: string): void => {
    const start = path.indexOf(name);
    if (start >= 0) found.push(path.slice(start));
    if (start >= 0 || done.has(name)) return;
    path.push(name);
    for (const need of byName.get(name)?.needs ?? []) walk(need.job);
    path.pop();
    done.add(name);
  };
  for (const name of byName.keys()) walk(name);
  return found;
}
