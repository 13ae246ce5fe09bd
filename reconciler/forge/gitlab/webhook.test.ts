import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FireRunnerError } from "../../model/errors.js";
import { parseWebhook } from "./webhook.js";
import { jobHook15, jobHook16, jobHook17, jobHook18, pipelineHook, pushHook, systemHook } from "./webhook-payloads.fixture.js";

const overTheWire = (payload: unknown): unknown => JSON.parse(JSON.stringify(payload));
const messageOf = (payload: unknown): string => {
  try {
    parseWebhook(payload);
  } catch (error) {
    expect(error).toMatchObject({ code: "FR-WEBHOOK-REFUSED" });
    return String(error);
  }
  throw new Error("the payload was not refused");
};

describe("reading a webhook", () => {
  it.each([
    ["15.x", jobHook15, "pending"],
    ["16.x with an environment object", jobHook16, "pending"],
    ["17.x with an environment name", jobHook17, "pending"],
    ["18.x with a runner and a project", jobHook18, "running"],
  ])("understands the Job Hook of GitLab %s", (_version, payload, status) => {
    expect(parseWebhook(overTheWire(payload))).toMatchObject({ kind: "job", projectId: 380, jobId: 41_977, status });
  });

  it.each([
    ["created", "2026-02-03T04:05:06.000Z"],
    ["pending", undefined],
    ["running", "2026-02-03T04:06:00.000Z"],
    ["failed", "2026-02-03T04:07:00.500Z"],
    ["canceling", undefined],
  ])("tells when a job was %s, where GitLab does", (build_status, at) => {
    const times = {
      build_created_at: "2026-02-03 04:05:06 UTC",
      build_started_at: "2026-02-03 04:06:00 UTC",
      build_finished_at: "2026-02-03 04:07:00 UTC",
      build_finished_at_iso: "2026-02-03T04:07:00.500Z",
    };
    const happenedAt = at === undefined ? undefined : Date.parse(at);
    expect(parseWebhook({ ...jobHook15, ...times, build_status })).toMatchObject({ happenedAt });
  });

  it("needs four fields only, whatever the others hold", () => {
    const needed = { object_kind: "build", build_id: 1, build_status: "success", project_id: 2 };
    expect(parseWebhook(needed)).toEqual({ kind: "job", projectId: 2, jobId: 1, status: "success" });
    expect(parseWebhook({ ...needed, runner: 7, commit: [], user: "x", environment: {} })).toMatchObject({ kind: "job" });
  });

  it("takes a status of a later version as another one", () => {
    expect(parseWebhook({ ...jobHook15, build_status: "waiting_for_callback" })).toMatchObject({ status: "other" });
  });

  it("takes numbers in quotes, as custom templates write them", () => {
    expect(parseWebhook({ object_kind: "build", build_id: "7", build_status: "failed", project_id: "3" })).toEqual({
      kind: "job",
      projectId: 3,
      jobId: 7,
      status: "failed",
    });
  });

  it("tells a pipeline's project and id", () => {
    expect(parseWebhook(overTheWire(pipelineHook))).toEqual({ kind: "pipeline", projectId: 380, pipelineId: 9001 });
  });

  it.each([
    ["a push", pushHook],
    ["a system hook", systemHook],
    ["an event of a later version", { object_kind: "harbour_opened" }],
    ["a pipeline that a template made unrecognisable", { object_kind: "pipeline", id: 1 }],
  ])("does not care about %s, and does not refuse it", (_name, payload) => {
    expect(parseWebhook(payload)).toEqual({ kind: "other" });
  });

  it("names what a custom template left out, and nothing of what it put there", () => {
    expect(messageOf({ text: "mira@example.com built it" })).toContain("no usable object_kind;");
    expect(messageOf({ object_kind: "build", build_name: "secret-name", project_id: 1 })).toContain("no usable build_id, build_status;");
    expect(messageOf({ object_kind: "build", build_id: "{{build_id}}", build_status: "failed", project_id: -1 })).toContain(
      "no usable build_id, project_id;",
    );
    expect(messageOf({ object_kind: "build", build_id: "hunter2", build_status: "x", project_id: 1 })).not.toContain("hunter2");
  });

  it.each([[null], [undefined], [17], ["build"], [[]], [{ object_kind: 4 }]])("refuses %j", (payload) => {
    expect(messageOf(payload)).toContain("object_kind");
  });

  it("throws nothing but its own errors, whatever arrives", () => {
    const field = fc.constantFrom(
      "object_kind",
      "event_name",
      "build_id",
      "build_status",
      "project_id",
      "project",
      "object_attributes",
      "id",
    );
    const value = fc.oneof(fc.constantFrom("build", "pipeline", "pending"), fc.jsonValue());
    const payload = fc.oneof(fc.jsonValue(), fc.dictionary(field, value));
    fc.assert(
      fc.property(payload, (json) => {
        try {
          const event = parseWebhook(json);
          if (event.kind === "job") expect(event.jobId > 0 && event.projectId > 0).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(FireRunnerError);
          expect(error).toMatchObject({ code: "FR-WEBHOOK-REFUSED" });
        }
      }),
      { numRuns: 500 },
    );
  });
});
