import { describe, expect, it } from "vitest";
import type { Scope } from "../../model/connection.js";
import { aJob, aRunner, startWorld, token } from "./gitlab-server.fixture.js";

const request = { description: "firerunner/acme/small/vm-aa", tags: ["linux", "small"], runUntagged: false, maxJobTimeoutS: 3_600 };
const forbidden = { status: 403, json: { message: "403 Forbidden - No access granted" } };

describe("making a runner", () => {
  it.each<[string, Scope, Record<string, unknown>]>([
    ["a project", { projectId: 380 }, { runner_type: "project_type", project_id: 380, locked: true }],
    ["a group", { groupId: 5 }, { runner_type: "group_type", group_id: 5 }],
    ["the instance", { instance: true }, { runner_type: "instance_type" }],
  ])("of %s posts what GitLab expects and gives its token", async (_name, scope, own) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /user/runners", { status: 201, json: { id: 77, token: "glrt-t1_abc.01.xyz", token_expires_at: null } });

    expect(await forge.makeRunner(connection(scope), request)).toEqual({ runnerId: 77, token: "glrt-t1_abc.01.xyz" });
    expect(gitlab.seen).toMatchObject([{ method: "POST", path: "/user/runners", query: "" }]);
    expect(gitlab.seen[0]?.body).toEqual({
      ...own,
      description: request.description,
      tag_list: ["linux", "small"],
      run_untagged: false,
      maximum_timeout: 3_600,
    });
    expect(gitlab.seen[0]?.headers).toMatchObject({ "private-token": token, "content-type": "application/json" });
  });

  it("asks for no shorter timeout than GitLab accepts", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /user/runners", { status: 201, json: { id: 77, token: "glrt-x" } });
    await forge.makeRunner(connection(), { ...request, maxJobTimeoutS: 60 });
    expect(gitlab.seen[0]?.body).toMatchObject({ maximum_timeout: 600 });
  });

  it.each([500, 502, 503, 504])("is not repeated after %i: the runner may have been made", async (status) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /user/runners", { status, text: "<html>", type: "text/html" });
    await expect(forge.makeRunner(connection(), request)).rejects.toMatchObject({ code: "FR-FORGE-UNREACHABLE", retryable: true });
    expect(gitlab.seen).toHaveLength(1);
  });

  it.each(["reset", "cut"] as const)("is not repeated after a %s connection", async (reply) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /user/runners", reply);
    await expect(forge.makeRunner(connection(), request)).rejects.toMatchObject({ code: "FR-FORGE-UNREACHABLE", details: { sent: true } });
    expect(gitlab.seen).toHaveLength(1);
  });

  it("is not repeated after a time-out", async () => {
    const { gitlab, forge, connection, clock } = await startWorld();
    gitlab.script("POST /user/runners", "hang");
    const making = forge.makeRunner(connection(), request);
    const refused = expect(making).rejects.toMatchObject({ code: "FR-FORGE-UNREACHABLE", details: { sent: true } });
    await gitlab.untilSeen(1);
    await clock.advance(10_000);
    await refused;
    expect(gitlab.seen).toHaveLength(1);
  });

  it("is repeated after 429, because then GitLab did not act", async () => {
    const { gitlab, forge, connection, clock } = await startWorld();
    gitlab.script(
      "POST /user/runners",
      { status: 429, json: {}, headers: { "retry-after": "3" } },
      { status: 201, json: { id: 77, token: "glrt-x" } },
    );
    expect(await forge.makeRunner(connection(), request)).toMatchObject({ runnerId: 77 });
    expect(clock.pauses).toEqual([3_125]);
  });

  it("tells GitLab's own complaint, and what the token needs", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /user/runners", { status: 400, json: { message: { tag_list: ["can not be empty"] } } }, forbidden);
    await expect(forge.makeRunner(connection(), request)).rejects.toMatchObject({
      code: "FR-FORGE-REJECTED",
      message: expect.stringContaining('{"tag_list":["can not be empty"]}'),
    });
    await expect(forge.makeRunner(connection(), request)).rejects.toMatchObject({
      code: "FR-FORGE-UNAUTHORIZED",
      message: expect.stringContaining("the token env:TOKEN needs the scope create_runner"),
    });
  });

  it.each([
    "400 Bad request - Runner projects base Maximum number of ci registered project runners (50) exceeded",
    { "runner_namespaces.base": ["Maximum number of ci registered group runners (1000) exceeded"] },
  ])("says of %j that it is the plan's limit", async (message) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /user/runners", { status: 400, json: { message } });
    const refusal = await forge.makeRunner(connection(), request).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "FR-FORGE-RUNNER-LIMIT", retryable: true });
    expect(String(refusal)).toMatch(/runners \(\d+\) exceeded.*; delete runners that nobody needs, or raise the plan's limit$/);
  });

  it("makes one for protected refs, and one that is paused, where that is asked for", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /user/runners", { status: 201, json: { id: 77, token: "glrt-x" } });
    await forge.makeRunner(connection(), { ...request, protectedOnly: true, paused: true });
    expect(gitlab.seen[0]?.body).toMatchObject({ access_level: "ref_protected", paused: true });
  });

  it("does not tell a token that GitLab repeats in a complaint", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /user/runners", { status: 400, json: { message: `bad: glrt-t1_secret and ${token}` } });
    const refusal = await forge.makeRunner(connection(), request).catch((error: unknown) => error);
    expect(String(refusal)).toContain("bad: [redacted] and [redacted]");
    expect(JSON.stringify([refusal, String(refusal)])).not.toMatch(/secret|not-a-real/);
  });

  it("refuses an answer without a token, and does not tell what stood there", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("POST /user/runners", { status: 201, json: { id: 77, tokens: "glrt-oops" } });
    const refusal = await forge.makeRunner(connection(), request).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "FR-FORGE-REJECTED" });
    expect(JSON.stringify([refusal, String(refusal)])).not.toContain("oops");
  });
});

describe("finding runners", () => {
  it.each<[Scope, string, string]>([
    [{ projectId: 380 }, "/projects/380/runners", "type=project_type&per_page=100"],
    [{ groupId: 5 }, "/groups/5/runners", "type=group_type&per_page=100"],
    [{ instance: true }, "/runners/all", "type=instance_type&per_page=100"],
  ])("reads all of %j and keeps those that begin with the prefix", async (scope, path, query) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(
      `GET ${path}`,
      { json: [aRunner(1, "firerunner/acme/a/vm-1"), aRunner(2, "somebody's"), aRunner(3, "")], headers: { "x-next-page": "2" } },
      { json: [aRunner(4, "firerunner/acme/b/vm-2", true), aRunner(5, "firerunner/other/b/vm-3")], headers: { "x-next-page": "" } },
    );
    expect(await forge.findRunners(connection(scope), "firerunner/acme/")).toEqual([
      { runnerId: 1, description: "firerunner/acme/a/vm-1", paused: false },
      { runnerId: 4, description: "firerunner/acme/b/vm-2", paused: true },
    ]);
    expect(gitlab.seen.map((seen) => [seen.path, seen.query])).toEqual([
      [path, query],
      [path, `${query}&page=2`],
    ]);
  });

  it("reads them at most twice for many who ask at once", async () => {
    const { gitlab, forge, connection } = await startWorld();
    const names = Array.from({ length: 30 }, (_, index) => `firerunner/acme/a/vm-${String(index).padStart(2, "0")}`);
    gitlab.script("GET /projects/380/runners", { json: names.map((name, index) => aRunner(index + 1, name)) });
    const found = await Promise.all(names.map((name) => forge.findRunners(connection(), name)));
    expect(found.map((runners) => runners.map(({ description }) => description))).toEqual(names.map((name) => [name]));
    expect(gitlab.seen).toHaveLength(2);
  });

  it("reads `active` of a GitLab that does not tell `paused`", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("GET /projects/380/runners", { json: [{ id: 1, description: "x", active: false }] });
    expect(await forge.findRunners(connection(), "x")).toEqual([{ runnerId: 1, description: "x", paused: true }]);
  });

  it("fails rather than say that a runner is not there, when there are more than are read", async () => {
    const { gitlab, forge, connection } = await startWorld({ runnerPages: 1 });
    gitlab.script("GET /projects/380/runners", { json: [aRunner(1, "x")], headers: { "x-next-page": "2" } });
    await expect(forge.findRunners(connection(), "x")).rejects.toMatchObject({ message: expect.stringContaining("more than 100 runners") });
  });
});

describe("pausing a runner", () => {
  it("puts `paused`", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("PUT /runners/77", { json: aRunner(77, "x", true) });
    expect(await forge.pauseRunner(connection(), 77)).toBe("paused");
    expect(gitlab.seen).toMatchObject([{ method: "PUT", path: "/runners/77", query: "", body: { paused: true } }]);
  });

  it("is repeated after an answer in doubt, because twice is as good as once", async () => {
    const { gitlab, forge, connection, clock } = await startWorld();
    gitlab.script("PUT /runners/77", "reset", { status: 502, text: "", type: "" }, { json: aRunner(77, "x", true) });
    expect(await forge.pauseRunner(connection(), 77)).toBe("paused");
    expect(clock.pauses).toEqual([125, 250]);
  });

  it("says when there is no such runner", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("PUT /runners/77", { status: 404, json: { message: "404 Not found" } });
    expect(await forge.pauseRunner(connection(), 77)).toBe("absent");
  });
});

describe("deleting a runner", () => {
  it("sends no body", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("DELETE /runners/77", { status: 204 });
    expect(await forge.deleteRunner(connection(), 77)).toBe("deleted");
    expect(gitlab.seen).toMatchObject([{ method: "DELETE", path: "/runners/77", query: "", body: undefined }]);
    expect(gitlab.seen[0]?.headers).not.toHaveProperty("content-type");
  });

  it("succeeds for one that is gone", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("DELETE /runners/77", { status: 404, json: { message: "404 Not found" } });
    expect(await forge.deleteRunner(connection(), 77)).toBe("absent");
  });

  it("takes a refused runner for absent only when the scope's whole list does not have it", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("DELETE /runners/77", forbidden);
    gitlab.script("GET /projects/380/runners", { json: [aRunner(76, "x")] });
    expect(await forge.deleteRunner(connection(), 77)).toBe("absent");
    gitlab.script("GET /projects/380/runners", { json: [aRunner(77, "x")] });
    await expect(forge.deleteRunner(connection(), 77)).rejects.toMatchObject({ code: "FR-FORGE-UNAUTHORIZED" });
    gitlab.script("GET /projects/380/runners", forbidden);
    await expect(forge.deleteRunner(connection(), 77)).rejects.toMatchObject({
      message: expect.stringContaining("deleting runner 77: GitLab answered 403"),
    });
  });
});

describe("the jobs that a runner runs", () => {
  /** As the list of a runner's jobs tells them: without tags and runner, with the project. */
  const listed = (id: number, status: string) => {
    const { tag_list: _tags, runner: _runner, ...basic } = aJob({ id, status });
    return { ...basic, project: { id: 380, path_with_namespace: "harbour/wharf" } };
  };

  it("are its running and canceling ones, with their tags", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("GET /runners/77/jobs", { json: [listed(3, "running"), listed(2, "canceling"), listed(1, "success")] });
    gitlab.script("GET /projects/380/jobs/3", { json: aJob({ id: 3, status: "running", runner: { id: 77 } }) });
    gitlab.script("GET /projects/380/jobs/2", { json: aJob({ id: 2, status: "canceling", runner: { id: 77 } }) });

    expect(await forge.runningJobs(connection(), 77)).toMatchObject([
      { projectId: 380, jobId: 3, status: "running", tags: ["linux", "small"], runnerId: 77 },
      { projectId: 380, jobId: 2, status: "canceling", runnerId: 77 },
    ]);
    expect(gitlab.seen[0]).toMatchObject({ path: "/runners/77/jobs", query: "order_by=id&sort=desc&per_page=100" });
  });

  it("are none when the last one ended meanwhile", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("GET /runners/77/jobs", { json: [listed(3, "running")] });
    gitlab.script("GET /projects/380/jobs/3", { json: aJob({ id: 3, status: "success" }) });
    expect(await forge.runningJobs(connection(), 77)).toEqual([]);
  });

  it("are none of a runner that GitLab does not know", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("GET /runners/77/jobs", { status: 404, json: { message: "404 Not found" } });
    expect(await forge.runningJobs(connection(), 77)).toEqual([]);
  });

  it("are unknown when the token may not see them, or the list makes no sense", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("GET /runners/77/jobs", forbidden, { json: [{ id: 3, status: "running" }] });
    await expect(forge.runningJobs(connection(), 77)).rejects.toMatchObject({ code: "FR-FORGE-UNAUTHORIZED" });
    await expect(forge.runningJobs(connection(), 77)).rejects.toMatchObject({ code: "FR-FORGE-REJECTED" });
  });
});
