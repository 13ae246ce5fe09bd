import { beforeEach, describe, expect, it } from "vitest";
import { aJob, keptLog, newStore } from "./http/listeners.fixture.js";
import { createLoopObserver, logEvents, type WatchfulObserver } from "./loop-observer.js";
import { FireRunnerError } from "./model/errors.js";
import { jobKey } from "./model/job.js";
import type { Effect } from "./plan/effect.js";
import type { Store } from "./store/port.js";
import { createMetrics, type Metrics } from "./telemetry/metrics.js";

const listHost: Effect = { kind: "listHost", host: "rack-1" };
const readJob: Effect = { kind: "readJob", connection: "gitlab", projectId: 380, jobId: 41_977 };
const unreachable = new FireRunnerError("FR-HOST-UNREACHABLE", "listing microVMs on rack-1 got no answer");

let store: Store;
let metrics: Metrics;
let lines: string[];
let observer: WatchfulObserver;
const log = () => lines.map((line) => JSON.parse(line) as { level: string; message: string; traceId?: string });

beforeEach(() => {
  store = newStore();
  metrics = createMetrics();
  const kept = keptLog();
  lines = kept.lines;
  observer = createLoopObserver({ store, logger: kept.logger, metrics, clock: { now: () => 1_700_000_000_500 } });
  logEvents(store, kept.logger);
});

describe("the loop's observer", () => {
  it("tells who leads, and forgets what hosts answered when it leads no more", async () => {
    expect(await metrics.read()).toMatch(/^firerunner_leader 0$/m);
    observer.leads("3-ab");
    observer.effect(listHost, "ok", 1);
    expect(observer.lastAnswer("host/rack-1")).toEqual({ ok: true });
    const told = (await metrics.read()).split("\n").filter((line) => line.startsWith("firerunner_leader"));
    expect(told).toEqual([
      "firerunner_leader 1",
      "firerunner_leader_epoch 3",
      "firerunner_leader_since_timestamp_seconds 1700000000.5",
      "firerunner_leaderships_total 1",
    ]);
    observer.leads(undefined);
    expect(observer.lastAnswer("host/rack-1")).toBeUndefined();
    const after = await metrics.read();
    for (const name of ["leader", "leader_epoch", "leader_since_timestamp_seconds"])
      expect(after).toMatch(new RegExp(`^firerunner_${name} 0$`, "m"));
    expect(
      log()
        .filter(({ level }) => level === "info")
        .map(({ message }) => message),
    ).toEqual(["this process leads from now on", "this process leads no more"]);
  });

  it("tells an outage once, and its end", () => {
    for (const error of [unreachable, unreachable, undefined, undefined])
      observer.effect(listHost, error === undefined ? "ok" : "failed", 5, error);
    expect(log().map(({ level, message }) => [level, message.split(":")[0]])).toEqual([
      ["warn", "listHost failed and is tried again"],
      ["debug", "listHost failed and is tried again"],
      ["info", "listHost works again"],
      ["debug", "listHost done"],
    ]);
  });

  it("remembers how the last call to each host and forge went", () => {
    expect(observer.lastAnswer("host/rack-1")).toBeUndefined();
    observer.effect(listHost, "failed", 5, unreachable);
    expect(observer.lastAnswer("host/rack-1")).toEqual({ ok: false, message: expect.stringContaining("FR-HOST-UNREACHABLE") });
    observer.effect(listHost, "ok", 5);
    expect(observer.lastAnswer("host/rack-1")).toEqual({ ok: true });
    // One refused request says nothing about the host.
    observer.effect(listHost, "failed", 5, new FireRunnerError("FR-FLINTLOCK-REJECTED", "no"));
    expect(observer.lastAnswer("host/rack-1")).toEqual({ ok: true });
  });

  it("joins lines and events about a job by its trace id, and counts", async () => {
    const job = aJob();
    const subject = { kind: "job", name: jobKey(job) };
    const event = { at: 1, type: "JobSeen", subject, message: "the job waits", traceId: job.traceId };
    await store.commit({ writes: [{ kind: "job", key: jobKey(job), value: job, expect: "any" }], events: [event] });
    observer.effect(readJob, "ok", 12);
    expect(log().map(({ traceId }) => traceId)).toEqual([job.traceId, job.traceId]);
    expect(log()[0]).toMatchObject({ event: "JobSeen", job: "gitlab/380/41977", message: "the job waits" });
    expect(await metrics.read()).toContain('firerunner_effects_total{effect="readJob",outcome="ok"} 1');
  });

  it("tells a fault of the loop with its cause", () => {
    observer.fault(FireRunnerError.from(new Error("broken"), "FR-INTERNAL", "a pass of the loop"));
    expect(lines.join("")).toContain("a pass of the loop failed: broken");
  });
});
