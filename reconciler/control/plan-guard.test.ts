import { describe, expect, it } from "vitest";
import type { Plan } from "../plan/draft.js";
import { aHost, aHostView, aJob, aSnapshot, now } from "../plan/snapshot.fixture.js";
import type { Snapshot } from "../plan/snapshot.js";
import { PlanGuard } from "./plan-guard.js";

const nothing: Plan = { decisions: [], events: [], effects: [], wakeAt: undefined };
const jobs = Array.from({ length: 300 }, (_, n) => aJob({ jobId: n + 1 }));
const isPoison = ({ jobId }: { readonly jobId?: number | undefined }) => jobId === 17 || jobId === 230;

/** Decides nothing, and throws over some jobs and hints, and over host-b's microVMs. */
function fragile(seen: Snapshot[] = []) {
  return (snapshot: Snapshot): Plan => {
    seen.push(snapshot);
    if ([...snapshot.jobs, ...snapshot.hints].some(isPoison)) throw new TypeError("no such tag");
    if (snapshot.hosts.some(({ spec, observation }) => spec.name === "host-b" && observation !== undefined))
      throw new Error("no such state");
    return nothing;
  };
}
const hostB = aHostView(aHost({ name: "host-b" }));
const aHint = (jobId: number) => ({ connection: "forge", projectId: 7, jobId, firstSeenAt: now });

describe("a plan that cannot be made", () => {
  it("is made without the jobs, hints and host's lists that it fails over, and says which", () => {
    const seen: Snapshot[] = [];
    const guard = new PlanGuard(fragile(seen));
    const snapshot = aSnapshot({ jobs, hints: [aHint(17), aHint(18)], hosts: [aHostView(), hostB] });
    const { letters, explained } = guard.plan(snapshot);
    expect([...letters.keys()]).toEqual([
      "decide:job/forge/7/17",
      "decide:job/forge/7/230",
      "decide:hint/forge/7/17",
      "decide:host/host-b",
    ]);
    expect(letters.get("decide:host/host-b")?.failures).toEqual([
      { at: now, code: "FR-INTERNAL", message: "deciding failed: no such state" },
    ]);
    expect(explained.map(({ jobId, waitingReason }) => [jobId, waitingReason?.code])).toEqual([
      [17, "FR-INTERNAL"],
      [230, "FR-INTERNAL"],
    ]);
    expect(seen.at(-1)?.jobs).toHaveLength(298);
    expect(seen.at(-1)?.hosts.map(({ observation }) => observation === undefined)).toEqual([false, true]);
    expect(seen.length).toBeLessThan(80);
    expect(guard.seen(snapshot).hints).toHaveLength(1);
  });

  it("is searched once, and takes a record in again when it is another", () => {
    const seen: Snapshot[] = [];
    const guard = new PlanGuard(fragile(seen));
    const first = guard.plan(aSnapshot({ jobs }));
    const searched = seen.length;
    const again = guard.plan(aSnapshot({ jobs, deadLetters: first.letters }));
    expect([seen.length - searched, again.letters]).toEqual([1, first.letters]);
    const mended = jobs.map((job) => (job.jobId === 17 ? aJob({ jobId: 1_017 }) : job));
    expect([...guard.plan(aSnapshot({ jobs: mended, deadLetters: first.letters })).letters.keys()]).toEqual(["decide:job/forge/7/230"]);
  });

  it("fails as it did when there is nothing that it could be made without", () => {
    const guard = new PlanGuard(() => {
      throw new RangeError("no such zone");
    });
    expect(() => guard.plan(aSnapshot({ jobs }))).toThrow("no such zone");
  });

  it("is made without the record over which the store has refused what was decided", () => {
    const decide = (snapshot: Snapshot): Plan => ({
      ...nothing,
      decisions: snapshot.jobs.map((job) => ({
        kind: "job",
        key: `forge/7/${job.jobId}`,
        value: isPoison(job) ? { ...job, stage: 1 as never } : job,
      })),
    });
    const guard = new PlanGuard(decide);
    const snapshot = aSnapshot({ jobs: jobs.slice(0, 40) });
    expect(guard.plan(snapshot).letters.size).toBe(0);
    guard.refused();
    const { letters, decided } = guard.plan(snapshot);
    expect([...letters.values()].map(({ target, failures }) => [target.record?.key, failures[0]?.code])).toEqual([
      ["forge/7/17", "FR-INVALID"],
    ]);
    expect(decided.decisions).toHaveLength(39);
  });
});
