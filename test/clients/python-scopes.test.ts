import { expect, it } from "vitest";
import { oneJob } from "../../reconciler/embedded/gitlab/gitlab.fixture.js";
import { describeWith } from "./clients.fixture.js";
import { idsOf, startPythonWorld } from "./python.fixture.js";

describeWith("python", "python-gitlab and the embedded GitLab agree on", () => {
  it("what a project's token may do, as the product's adapter finds it", async () => {
    const { python, push, speakers } = await startPythonWorld();
    const { projectId } = await push("root/demo", { ".gitlab-ci.yml": oneJob });
    const [job] = await python("jobs", { project_id: projectId });
    const tokenWith = async (scopes: readonly string[]) =>
      speakers(
        (await python("createProjectToken", { project_id: projectId, name: "bot", scopes, access_level: 40, expires_at: "2999-01-01" }))
          .token,
      );

    const runners = await tokenWith(["create_runner", "manage_runner", "read_api"]);
    const own = runners.connection({ projectId });
    expect(await runners.python("ownToken")).toMatchObject({ active: true, revoked: false, expires_at: "2999-01-01" });
    expect(await runners.forge.checkAccess(own, false)).toEqual({ ok: true, missing: [], expiresAt: Date.parse("2999-01-01") });
    const settings = { runner_type: "project_type", project_id: projectId, description: "firerunner/dev/p/vm-1", run_untagged: true };
    const { id } = await runners.python("createRunner", settings);
    expect(await runners.forge.findRunners(own, "firerunner/dev/")).toMatchObject([{ runnerId: id }]);
    expect(await runners.python("job", { project_id: projectId, job_id: job.id })).toMatchObject({ status: "pending" });
    expect((await runners.refused("cancelJob", { project_id: projectId, job_id: job.id }))[0]).toBe(403);
    expect((await runners.refused("createHook", { project_id: projectId, url: "https://example.com" }))[0]).toBe(403);
    expect(await runners.forge.ensureWebhook(own, "https://example.com")).toMatchObject({ state: "not-allowed" });
    await runners.python("deleteRunner", { runner_id: id });

    const reader = await tokenWith(["read_api"]);
    expect((await reader.refused("createRunner", settings))[0]).toBe(403);
    const { ok, missing } = await reader.forge.checkAccess(own, false);
    expect([ok, missing]).toEqual([false, [expect.stringContaining("create_runner"), expect.stringContaining("manage_runner")]]);
    expect((await speakers("glpat-of-nobody").refused("ownToken"))[0]).toBe(401);
  });

  it("a group: its projects, its runners and its webhooks", async () => {
    const { python, push, forge, connection } = await startPythonWorld();
    const group = await python("createGroup", { name: "Harbour", path: "harbour" });
    const { projectId: wharf } = await push("harbour/wharf", { ".gitlab-ci.yml": oneJob });
    const { projectId: quay } = await push("harbour/quay", { ".gitlab-ci.yml": oneJob });
    const { projectId: other } = await push("root/elsewhere", { ".gitlab-ci.yml": oneJob });
    const own = connection({ groupId: group.id });
    expect(idsOf(await python("groupProjects", { group_id: group.id, order_by: "id", sort: "asc" }))).toEqual([wharf, quay]);
    expect(idsOf(await python("projects", { pagination: "keyset", order_by: "id", sort: "asc", per_page: 1 }))).toEqual([
      wharf,
      quay,
      other,
    ]);
    expect([...(await forge.activeJobs(own)).projectIds].sort()).toEqual([wharf, quay]);

    const settings = { runner_type: "group_type", group_id: group.id, description: "firerunner/dev/group/vm-1", run_untagged: true };
    const { id } = await python("createRunner", settings);
    expect(idsOf(await python("groupRunners", { group_id: group.id, type: "group_type" }))).toEqual([id]);
    expect(await forge.findRunners(own, "firerunner/dev/")).toEqual([
      { runnerId: id, description: "firerunner/dev/group/vm-1", paused: false },
    ]);
    expect(idsOf(await python("projectRunners", { project_id: wharf }))).toEqual([id]);
    expect(idsOf(await python("projectRunners", { project_id: other }))).toEqual([]);

    const url = "https://runners.example.com/webhooks/gitlab/harbour";
    const hook = await python("createGroupHook", { group_id: group.id, url, job_events: true, pipeline_events: true, push_events: false });
    expect(await forge.ensureWebhook(own, url)).toEqual({ state: "kept" });
    expect(await python("groupHooks", { group_id: group.id })).toMatchObject([{ id: hook.id, url, job_events: true }]);
    await python("deleteGroupHook", { group_id: group.id, hook_id: hook.id });
    expect(await forge.ensureWebhook(own, url)).toEqual({ state: "made" });
  });

  it("which branches are protected", async () => {
    const { python, push } = await startPythonWorld();
    const { projectId } = await push("root/demo", { ".gitlab-ci.yml": oneJob });
    expect(await python("protectedBranches", { project_id: projectId })).toMatchObject([{ name: "main" }]);
  });
});
