import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { connectionSchema } from "../../model/connection.js";
import { FireRunnerError } from "../../model/errors.js";
import { jobStatuses } from "../../model/job.js";
import { jobOf, madeRunnerOf, projectIdOf, runnerJobOf, runnerOf, statusOf, timeOf } from "./answers.js";
import { aJob } from "./gitlab-server.fixture.js";

const connection = connectionSchema.parse({
  name: "harbour",
  kind: "gitlab",
  url: "https://gitlab.example.com/",
  token: "env:TOKEN",
  scope: { projectId: 380 },
});
const attempt = { connection, what: "reading", needs: "nothing" };
const now = 1_770_000_000_000;

describe("reading GitLab's answers", () => {
  it.each([
    ["2026-01-02T03:04:05.678Z", 1_767_323_045_678],
    ["2026-01-02 03:04:05 UTC", 1_767_323_045_000],
    ["2026-01-02T04:04:05.678+01:00", 1_767_323_045_678],
    ["soon", undefined],
    ["2026", undefined],
    ["1969-12-31T00:00:00Z", undefined],
    [1_767_323_045, undefined],
    [null, undefined],
  ])("takes %j for a time", (value, expected) => {
    expect(timeOf(value)).toBe(expected);
  });

  it("knows every status of the vocabulary, and calls others other", () => {
    for (const status of jobStatuses) expect(statusOf(status)).toBe(status);
    expect(statusOf("waiting_for_callback")).toBe("other");
  });

  it("tolerates whatever it does not need in a job", () => {
    const odd = aJob({ pipeline: "9001", runner: [], ref: 7, created_at: {}, queued_duration: "long", allow_failure: 1, name: null });
    expect(jobOf(attempt, odd, 380, now)).toMatchObject({
      jobId: 41_977,
      name: "",
      pipelineId: undefined,
      runnerId: undefined,
      ref: undefined,
      createdAt: undefined,
      queuedAt: undefined,
      allowFailure: false,
    });
    expect(jobOf(attempt, { id: 1, status: "pending", tag_list: [] }, 380, now)).toMatchObject({ jobId: 1, tags: [] });
  });

  it("counts a queued job's time from its start, or else from now", () => {
    expect(jobOf(attempt, aJob({ queued_duration: 1.5 }), 380, now).queuedAt).toBe(now - 1_500);
    const started = aJob({ queued_duration: 1.5, started_at: "2026-01-02T03:04:05.678Z" });
    expect(jobOf(attempt, started, 380, now).queuedAt).toBe(1_767_323_044_178);
    expect(jobOf(attempt, aJob({ queued_duration: 1e300 }), 380, now).queuedAt).toBe(0);
  });

  it("throws nothing but its own errors, and never repeats what it read", () => {
    const readers = [
      (value: unknown) => jobOf(attempt, value, 380, now),
      (value: unknown) => runnerJobOf(attempt, value),
      (value: unknown) => runnerOf(attempt, value),
      (value: unknown) => projectIdOf(attempt, value),
      (value: unknown) => madeRunnerOf(attempt, value),
    ];
    const key = fc.constantFrom("id", "status", "tag_list", "token", "description", "project", "pipeline", "created_at", "queued_duration");
    const value = fc.oneof(fc.jsonValue(), fc.constant("glrt-secret"), fc.integer(), fc.array(fc.string()));
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(key, value)), (json) => {
        for (const read of readers) {
          try {
            read(json);
          } catch (error) {
            expect(error).toBeInstanceOf(FireRunnerError);
            expect(error).toMatchObject({ code: "FR-FORGE-REJECTED" });
            expect(String(error)).not.toContain("secret");
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
