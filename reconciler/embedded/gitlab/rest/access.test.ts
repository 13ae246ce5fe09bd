import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../model/manual-clock.fixture.js";
import { type Json, oneJob, startTestGitLab } from "../gitlab.fixture.js";

/** A group with a project, with a job that waits. */
async function inTeam() {
  const world = await startTestGitLab();
  const groupId = await world.settle.group("team");
  const { projectId } = await world.push("team/demo", { ".gitlab-ci.yml": oneJob });
  const [job] = (await world.api("GET", `/projects/${projectId}/jobs`)).body;
  return { ...world, groupId, projectId, jobId: job.id as number };
}

describe("what a role allows", () => {
  it("is nothing at all in a project that the token's user does not see", async () => {
    const { as, settle, projectId, groupId, jobId } = await inTeam();
    const stranger = await settle.userToken(["api"]);
    for (const path of [
      `/projects/${projectId}`,
      "/projects/team%2Fdemo",
      `/projects/${projectId}/jobs/${jobId}`,
      `/projects/${projectId}/hooks`,
    ]) {
      expect(await as(stranger, "GET", path)).toMatchObject({ status: 404, body: { message: "404 Project Not Found" } });
    }
    expect(await as(stranger, "GET", `/groups/${groupId}`)).toMatchObject({ status: 404, body: { message: "404 Group Not Found" } });
    expect((await as(stranger, "GET", "/projects")).body).toEqual([]);
    expect((await as(stranger, "GET", "/groups")).body).toEqual([]);
    const open = await settle.project("open", undefined, { visibility: "public" });
    expect((await as(stranger, "GET", `/projects/${open}`)).status).toBe(200);
    expect((await as(stranger, "GET", `/projects/${open}/runners`)).status).toBe(403);
  });

  it("grows from Guest to Owner", async () => {
    const { as, settle, projectId, jobId } = await inTeam();
    const token = Object.fromEntries(
      await Promise.all(
        (["guest", "reporter", "developer", "maintainer", "owner"] as const).map(
          async (role) => [role, await settle.userToken(["api"], { projectId, role })] as const,
        ),
      ),
    );
    const statuses = async (method: string, path: string, body?: Json) => {
      const answers: Record<string, number> = {};
      for (const [role, own] of Object.entries(token))
        answers[role] = (await as(own, method, `/projects/${projectId}${path}`, body)).status;
      return answers;
    };
    expect(await statuses("GET", `/jobs/${jobId}`)).toEqual({ guest: 200, reporter: 200, developer: 200, maintainer: 200, owner: 200 });
    const maintainers = { guest: 403, reporter: 403, developer: 403, maintainer: 200, owner: 200 };
    expect(await statuses("GET", "/runners")).toEqual(maintainers);
    expect(await statuses("GET", "/hooks")).toEqual(maintainers);
    expect(await statuses("GET", "/protected_branches")).toEqual(maintainers);
    expect(await statuses("POST", `/jobs/${jobId}/cancel`)).toEqual({
      guest: 403,
      reporter: 403,
      developer: 201,
      maintainer: 201,
      owner: 201,
    });
    expect((await as(token.reporter ?? "", "POST", `/projects/${projectId}/jobs/${jobId}/retry`)).body).toEqual({
      message: "403 Forbidden",
    });
    expect((await as(token.maintainer ?? "", "DELETE", `/projects/${projectId}`)).status).toBe(403);
    expect((await as(token.owner ?? "", "DELETE", `/projects/${projectId}`)).status).toBe(202);
  });

  it("comes down from the groups above", async () => {
    const { as, settle, groupId } = await inTeam();
    const inner = await settle.group("inner", groupId);
    const projectId = await settle.project("deep", inner);
    const maintainer = await settle.userToken(["api"], { groupId, role: "maintainer" });
    expect((await as(maintainer, "GET", `/projects/${projectId}/runners`)).status).toBe(200);
    expect((await as(maintainer, "GET", `/groups/${inner}/hooks`)).status).toBe(403);
    const below = await settle.userToken(["api"], { projectId, role: "guest" });
    expect((await as(below, "GET", `/groups/${groupId}`)).status).toBe(200);
    expect((await as(below, "GET", `/groups/${groupId}/projects?include_subgroups=true`)).body.map(({ id }: Json) => id)).toEqual([
      projectId,
    ]);
    expect((await as(maintainer, "GET", `/groups/${groupId}/subgroups`)).body).toMatchObject([{ id: inner }]);
  });

  it("makes runners: Maintainers of their project, Owners of their group, administrators of the instance", async () => {
    const { as, settle, projectId, groupId } = await inTeam();
    const make = (token: string, settings: Json) => as(token, "POST", "/user/runners", settings);
    const [project, group, instance] = [
      { runner_type: "project_type", project_id: projectId },
      { runner_type: "group_type", group_id: groupId },
      { runner_type: "instance_type" },
    ];
    const insufficient = { status: 403, body: { message: "403 Forbidden - Insufficient permissions" } };
    const developer = await settle.userToken(["create_runner"], { groupId, role: "developer" });
    expect(await make(developer, project)).toMatchObject(insufficient);
    const maintainer = await settle.userToken(["create_runner"], { groupId, role: "maintainer" });
    expect((await make(maintainer, project)).status).toBe(201);
    expect(await make(maintainer, group)).toMatchObject(insufficient);
    const owner = await settle.userToken(["create_runner"], { groupId, role: "owner" });
    expect((await make(owner, group)).status).toBe(201);
    expect(await make(owner, instance)).toMatchObject(insufficient);
    expect(await make(owner, { runner_type: "group_type", group_id: 999 })).toMatchObject({
      status: 400,
      body: { message: "400 Bad request - Missing/invalid group" },
    });
  });

  it("looks after runners, each within what is the user's own", async () => {
    const { as, api, settle, projectId, groupId } = await inTeam();
    const [mine, ofGroup, ofInstance] = await Promise.all(
      [
        { runner_type: "project_type", project_id: projectId },
        { runner_type: "group_type", group_id: groupId },
        { runner_type: "instance_type" },
      ].map(async (settings) => (await api("POST", "/user/runners", settings)).body.id),
    );
    const noAccess = { status: 403, body: { message: "403 Forbidden - No access granted" } };
    const maintainer = await settle.userToken(["manage_runner"], { projectId, role: "maintainer" });
    expect((await as(maintainer, "PUT", `/runners/${mine}`, { paused: true })).body).toMatchObject({
      paused: true,
      created_by: { username: "root" },
    });
    expect((await as(maintainer, "GET", `/runners/${ofInstance}`)).status).toBe(200);
    for (const id of [ofGroup, ofInstance]) expect(await as(maintainer, "PUT", `/runners/${id}`, { paused: true })).toMatchObject(noAccess);
    expect(await as(maintainer, "GET", `/runners/${ofGroup}`)).toMatchObject(noAccess);
    expect(await as(maintainer, "DELETE", `/runners/${ofGroup}`)).toMatchObject(noAccess);
    expect(await as(maintainer, "GET", `/runners/${ofGroup}/jobs`)).toMatchObject(noAccess);
    const owner = await settle.userToken(["api"], { groupId, role: "owner" });
    expect((await as(owner, "GET", "/runners")).body.map(({ id }: Json) => id).sort()).toEqual([mine, ofGroup].sort());
    expect((await as(owner, "GET", "/runners/all")).status).toBe(403);
    expect((await as(owner, "DELETE", `/runners/${ofGroup}`)).status).toBe(204);
    expect((await as(owner, "GET", `/runners/${ofGroup}`)).status).toBe(404);
  });

  it("forces a job to its end only as a Maintainer", async () => {
    const { as, take, runner, settle, projectId, jobId } = await inTeam();
    await take((await runner(projectId)).token, { info: { features: { cancel_gracefully: true } } });
    const developer = await settle.userToken(["api"], { projectId, role: "developer" });
    const cancel = (token: string, query = "") => as(token, "POST", `/projects/${projectId}/jobs/${jobId}/cancel${query}`);
    expect((await cancel(developer)).body.status).toBe("canceling");
    expect((await cancel(developer, "?force=true")).status).toBe(403);
    const maintainer = await settle.userToken(["api"], { projectId, role: "maintainer" });
    expect((await cancel(maintainer, "?force=true")).body.status).toBe("canceled");
  });
});

describe("what a scope allows", () => {
  it("is told with the scopes that would do", async () => {
    const { as, settle, projectId, jobId } = await inTeam();
    const reader = await settle.userToken(["read_api"], { projectId, role: "owner" });
    expect((await as(reader, "GET", `/projects/${projectId}/hooks`)).status).toBe(200);
    expect(await as(reader, "POST", `/projects/${projectId}/jobs/${jobId}/cancel`)).toMatchObject({
      status: 403,
      body: { error: "insufficient_scope", scope: "api" },
    });
    expect((await as(reader, "POST", "/user/runners", { runner_type: "project_type", project_id: projectId })).body).toMatchObject({
      error: "insufficient_scope",
      scope: "api create_runner",
    });
    const manager = await settle.userToken(["manage_runner"], { projectId, role: "maintainer" });
    // Only what names a runner's id is open to this scope.
    for (const path of [`/projects/${projectId}/runners`, "/runners", `/projects/${projectId}/jobs`])
      expect((await as(manager, "GET", path)).status).toBe(403);
  });
});

describe("access tokens", () => {
  it("of projects and groups have a bot with a role, and look at themselves", async () => {
    const { as, api, settle, projectId, groupId } = await inTeam();
    const token = await settle.botToken({ projectId }, "maintainer", ["create_runner"]);
    const self = (await as(token, "GET", "/personal_access_tokens/self")).body;
    expect(self).toMatchObject({ scopes: ["create_runner"], active: true, revoked: false, expires_at: null });
    expect(self.user_id).not.toBe(1);
    expect((await as(token, "POST", "/user/runners", { runner_type: "project_type", project_id: projectId })).status).toBe(201);
    expect((await api("POST", `/projects/${projectId}/access_tokens`, { name: "x", scopes: ["everything"] })).status).toBe(400);
    const [listed] = (await api("GET", `/projects/${projectId}/access_tokens`)).body;
    expect(listed).toMatchObject({ id: self.id, access_level: 40, resource_type: "project", resource_id: projectId });
    const owner = await settle.botToken({ groupId }, "owner", ["api"]);
    expect((await as(owner, "GET", `/groups/${groupId}/hooks`)).status).toBe(200);
    expect((await as(owner, "GET", "/user")).body).toMatchObject({ bot: true });
    expect((await as(owner, "POST", `/groups/${groupId}/access_tokens`, { name: "x", scopes: ["api"] })).status).toBe(403);
    expect((await api("DELETE", `/projects/${projectId}/access_tokens/${self.id}`)).status).toBe(204);
    expect(await as(token, "GET", "/personal_access_tokens/self")).toMatchObject({ status: 401, body: { error: "invalid_token" } });
  });

  it("end on the day that was given, and can be changed for others before", async () => {
    const clock = new ManualClock();
    const { as, settle } = await startTestGitLab(clock);
    const projectId = await settle.project("demo");
    const day = new Date(clock.now() + 3 * 86_400_000).toISOString().slice(0, 10);
    const token = await settle.botToken({ projectId }, "maintainer", ["read_api", "self_rotate"], day);
    const self = (own: string) => as(own, "GET", "/personal_access_tokens/self");
    expect((await self(token)).body).toMatchObject({ active: true, expires_at: day });
    const rotated = await as(token, "POST", "/personal_access_tokens/self/rotate");
    expect([rotated.status, (await self(rotated.body.token)).body.scopes]).toEqual([200, ["read_api", "self_rotate"]]);
    expect((await self(token)).body.error_description).toContain("revoked");
    await clock.advance(8 * 86_400_000);
    expect(await self(rotated.body.token)).toMatchObject({
      status: 401,
      body: { error: "invalid_token", error_description: expect.stringContaining("expired") },
    });
  });

  it("of a project are void when it is deleted", async () => {
    const { as, api, settle, projectId } = await inTeam();
    const token = await settle.botToken({ projectId }, "maintainer", ["api"]);
    await api("DELETE", `/projects/${projectId}`);
    expect((await as(token, "GET", `/projects/${projectId}`)).status).toBe(401);
  });

  it("push only with the scope and the role, and make projects only where they may", async () => {
    const { bare, settle, projectId, gitlab } = await inTeam();
    const service = async (token: string, path: string, kind = "receive") => {
      const basic = { authorization: `Basic ${Buffer.from(`any:${token}`).toString("base64")}` };
      return (await bare("GET", `/${path}.git/info/refs?service=git-${kind}-pack`, basic)).status;
    };
    const reporter = await settle.userToken(["write_repository"], { projectId, role: "reporter" });
    expect([await service(reporter, "team/demo", "upload"), await service(reporter, "team/demo")]).toEqual([200, 403]);
    const developer = await settle.userToken(["write_repository"], { projectId, role: "developer" });
    expect([
      await service(developer, "team/demo"),
      await service(developer, "team/another"),
      await service(developer, "root/another"),
    ]).toEqual([200, 404, 404]);
    const stranger = await settle.userToken(["api"]);
    expect(await service(stranger, "team/demo", "upload")).toBe(403);
    expect(await service(gitlab.token, "team/another")).toBe(200);
  });
});
