import { describe, expect, it } from "vitest";
import { aJob, startWorld } from "./gitlab-server.fixture.js";

const named = (...names: readonly string[]) => ({ json: names.map((name, id) => ({ id, name, allow_force_push: false })) });

describe("a project's protected refs", () => {
  it("are read of both lists, page by page", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("GET /projects/7/protected_branches", { ...named("main"), headers: { "x-next-page": "2" } }, named("release/*"));
    gitlab.script("GET /projects/7/protected_tags", named("v*"));
    expect(await forge.protectedRefs(connection({ groupId: 3 }), 7)).toEqual({ branches: ["main", "release/*"], tags: ["v*"] });
    expect(gitlab.seen.filter(({ path }) => path.endsWith("branches")).map(({ query }) => query)).toEqual([
      "per_page=100",
      "per_page=100&page=2",
    ]);
  });

  it.each([
    [{ status: 403, json: { message: "403 Forbidden" } }, "FR-FORGE-UNAUTHORIZED", "the role Maintainer in the project"],
    [{ status: 404, json: { message: "404 Project Not Found" } }, "FR-FORGE-NOT-FOUND", "project 7"],
    [{ json: [{ id: 1 }] }, "FR-FORGE-REJECTED", "with their names were expected"],
  ])("that cannot be read are an error that says so: %j", async (reply, code, message) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("GET /projects/7/protected_branches", named());
    gitlab.script("GET /projects/7/protected_tags", reply);
    await expect(forge.protectedRefs(connection(), 7)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it("that are too many to be read say nothing", async () => {
    const { gitlab, forge, connection } = await startWorld({ projectPages: 1 });
    gitlab.script("GET /projects/7/protected_branches", { ...named("main"), headers: { "x-next-page": "2" } });
    gitlab.script("GET /projects/7/protected_tags", named());
    await expect(forge.protectedRefs(connection(), 7)).rejects.toMatchObject({ message: expect.stringContaining("protect some of them") });
  });
});

describe("what a job tells of its ref", () => {
  it.each([
    ["a branch", { ref: "main", tag: false }, { ref: "main", refIsTag: false, protected: "unknown" }],
    ["a Git tag", { ref: "v1", tag: true }, { ref: "v1", refIsTag: true, protected: "unknown" }],
    ["a merge request", { ref: "refs/merge-requests/3/head" }, { protected: false }],
    ["what later versions may say", { ref: "main", protected: true }, { protected: true }],
  ])("is told of %s", async (_what, told, expected) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script("GET /projects/380/jobs/41977", { json: aJob(told) });
    expect(await forge.readJob(connection(), 380, 41_977)).toMatchObject(expected);
  });
});
