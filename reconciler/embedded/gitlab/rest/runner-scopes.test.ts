import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../model/manual-clock.fixture.js";
import { type Json, oneJob, startTestGitLab } from "../gitlab.fixture.js";

const day = 86_400_000;
const idsOf = ({ body }: { readonly body: Json }): readonly number[] => body.map(({ id }: Json) => id).sort();

/** A project in a group in a group, with a runner of each kind and one of another project. */
async function runnersOfAllKinds() {
  const world = await startTestGitLab();
  const top = await world.settle.group("top");
  const inner = await world.settle.group("inner", top);
  const projectId = await world.settle.project("demo", inner);
  const otherId = await world.settle.project("other");
  const make = async (settings: Json): Promise<number> => (await world.api("POST", "/user/runners", settings)).body.id;
  const ids = {
    ofProject: await make({ runner_type: "project_type", project_id: projectId }),
    ofOther: await make({ runner_type: "project_type", project_id: otherId, locked: true }),
    ofInner: await make({ runner_type: "group_type", group_id: inner }),
    ofTop: await make({ runner_type: "group_type", group_id: top }),
    ofInstance: await make({ runner_type: "instance_type" }),
  };
  return { ...world, top, inner, projectId, otherId, make, ...ids };
}

describe("the runners of a scope", () => {
  it("are its own, those of the groups above, and the instance's", async () => {
    const { api, projectId, top, inner, ofProject, ofOther, ofInner, ofTop, ofInstance } = await runnersOfAllKinds();
    expect(idsOf(await api("GET", `/projects/${projectId}/runners`))).toEqual([ofProject, ofInner, ofTop, ofInstance]);
    expect(idsOf(await api("GET", `/groups/${inner}/runners`))).toEqual([ofInner, ofTop, ofInstance]);
    expect(idsOf(await api("GET", `/groups/${top}/runners`))).toEqual([ofTop, ofInstance]);
    expect(idsOf(await api("GET", `/groups/${inner}/runners?type=group_type`))).toEqual([ofInner, ofTop]);
    expect(idsOf(await api("GET", "/runners/all"))).toEqual([ofProject, ofOther, ofInner, ofTop, ofInstance]);
    expect((await api("GET", "/runners/all?type=odd")).status).toBe(400);
    expect((await api("GET", "/runners/all?per_page=2")).headers.get("x-total")).toBe("5");
  });

  it("can be lent to another project, unless they are locked", async () => {
    const { api, as, settle, push, take, runner, projectId, otherId, ofOther, ofInner } = await runnersOfAllKinds();
    const { id: lent, token } = await runner(projectId);
    const maintainer = await settle.userToken(["api"], { projectId, role: "maintainer" }, { projectId: otherId, role: "maintainer" });
    const assign = (to: number, id: number) => as(maintainer, "POST", `/projects/${to}/runners`, { runner_id: id });
    expect(await assign(projectId, ofOther)).toMatchObject({ status: 403, body: { message: "403 Forbidden - Runner is locked" } });
    expect(await assign(otherId, ofInner)).toMatchObject({ status: 403, body: { message: "403 Forbidden - Runner is a group runner" } });
    expect((await assign(otherId, 999)).status).toBe(404);

    await push("root/other", { ".gitlab-ci.yml": oneJob });
    expect((await take(token)).status).toBe(204);
    expect((await assign(otherId, lent)).status).toBe(201);
    expect((await assign(otherId, lent)).status).toBe(400);
    expect((await api("GET", `/runners/${lent}`)).body.projects.map(({ id }: Json) => id)).toEqual([projectId, otherId]);
    expect(idsOf(await api("GET", `/projects/${otherId}/runners?type=project_type`))).toEqual([ofOther, lent]);
    expect((await take(token)).status).toBe(201);
    expect((await as(maintainer, "DELETE", `/runners/${lent}`)).body.message).toContain("more than one project");
    expect((await as(maintainer, "DELETE", `/projects/${projectId}/runners/${lent}`)).status).toBe(403);
    expect((await as(maintainer, "DELETE", `/projects/${otherId}/runners/${lent}`)).status).toBe(204);
    expect((await as(maintainer, "DELETE", `/projects/${otherId}/runners/${lent}`)).status).toBe(404);
  });

  it("change only in what is named, by one field at least", async () => {
    const { api, ofProject } = await runnersOfAllKinds();
    expect((await api("PUT", `/runners/${ofProject}`, {})).body.error).toContain("at least one parameter must be provided");
    expect(await api("PUT", `/runners/${ofProject}`, { run_untagged: false })).toMatchObject({
      status: 400,
      body: { message: { tags_list: ["can not be empty when runner is not allowed to pick untagged jobs"] } },
    });
    expect((await api("PUT", `/runners/${ofProject}`, { active: false })).body).toMatchObject({ paused: true, active: false });
  });
});

describe("the plan's limit of runners", () => {
  it("holds for each project and group, and forgets those that nobody made or heard for a week", async () => {
    const clock = new ManualClock();
    const { api, settle, take, gitlab } = await startTestGitLab(clock);
    const projectId = await settle.project("demo");
    const groupId = await settle.group("team");
    gitlab.setDials({ runnerLimit: { project: 2, group: 1 } });
    const make = (settings: Json) => api("POST", "/user/runners", settings);
    const ofProject = { runner_type: "project_type", project_id: projectId };
    const heard = (await make(ofProject)).body;
    const silent = (await make(ofProject)).body;
    expect((await make(ofProject)).status).toBe(400);
    expect((await make({ runner_type: "group_type", group_id: groupId })).status).toBe(201);
    expect((await make({ runner_type: "group_type", group_id: groupId })).body.message).toBe(
      "400 Bad request - Runner namespaces base Maximum number of ci registered group runners (1) exceeded",
    );
    expect((await make({ runner_type: "instance_type" })).status).toBe(201);

    await clock.advance(6 * day);
    await take(heard.token);
    await clock.advance(day);
    expect((await make(ofProject)).status).toBe(201);
    expect((await make(ofProject)).status).toBe(400);
    // Those that are deleted count no more, at once.
    expect((await api("DELETE", `/runners/${heard.id}`)).status).toBe(204);
    expect((await make(ofProject)).status).toBe(201);
    expect((await api("GET", `/runners/${silent.id}`)).body.status).toBe("stale");
  });
});
