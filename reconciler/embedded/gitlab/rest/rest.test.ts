import { describe, expect, it } from "vitest";
import { type Json, oneJob, startReceiver, startTestGitLab } from "../gitlab.fixture.js";

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const manyJobs = (count: number) => Array.from({ length: count }, (_, n) => `job-${n}:\n  tags: [b, a]\n  script: [echo ${n}]\n`).join("");

describe("access", () => {
  it("is refused without a token, with a wrong one, and with one that may not do this", async () => {
    const { bare, api } = await startTestGitLab();
    expect(await bare("GET", "/api/v4/projects")).toMatchObject({ status: 401, body: { message: "401 Unauthorized" } });
    expect((await bare("GET", "/api/v4/projects", { "private-token": "glpat-wrong" })).status).toBe(401);

    const token = async (...scopes: string[]) =>
      (await api("POST", "/users/1/personal_access_tokens", { name: "narrow", scopes })).body.token;
    const reader = { "private-token": await token("read_api") };
    expect((await bare("GET", "/api/v4/projects", reader)).status).toBe(200);
    const refused = await bare("POST", "/api/v4/projects", reader, { name: "demo" });
    expect([refused.status, refused.body.error]).toEqual([403, "insufficient_scope"]);
    const maker = { authorization: `Bearer ${await token("create_runner")}` };
    expect((await bare("POST", "/api/v4/user/runners", maker, { runner_type: "instance_type" })).status).toBe(201);
    expect((await bare("GET", "/api/v4/runners/1", maker)).status).toBe(403);
    expect((await bare("DELETE", "/api/v4/runners/1", { "private-token": await token("manage_runner") })).status).toBe(204);
    expect((await api("POST", "/users/1/personal_access_tokens", { name: "odd", scopes: ["everything"] })).status).toBe(400);
  });

  it("ends with a token that was revoked", async () => {
    const { bare, api } = await startTestGitLab();
    const made = (await api("POST", "/users/1/personal_access_tokens", { name: "short", scopes: ["api"] })).body;
    const version = () => bare("GET", "/api/v4/version", { "private-token": made.token });
    expect((await version()).body).toEqual({ version: "18.5.1", revision: "embedded" });
    expect((await api("DELETE", `/personal_access_tokens/${made.id}`)).status).toBe(204);
    expect((await version()).status).toBe(401);
    expect((await api("DELETE", "/personal_access_tokens/1")).status).toBe(404);
  });

  it("answers what it does not know, and what it cannot read, as GitLab does", async () => {
    const { api } = await startTestGitLab();
    expect(await api("GET", "/nothing")).toMatchObject({ status: 404, body: { error: "404 Not Found" } });
    expect(await api("GET", "/projects/7")).toMatchObject({ status: 404, body: { message: "404 Project Not Found" } });
    expect(await api("GET", "/runners/7")).toMatchObject({ status: 404, body: { message: "404 Runner Not Found" } });
    expect((await api("POST", "/projects", "{", { "content-type": "application/json" })).status).toBe(400);
    expect((await api("POST", "/projects", "x".repeat(2_200_000), { "content-type": "application/json" })).status).toBe(413);
  });
});

describe("projects", () => {
  it("are made, found by id and by path, and listed page by page", async () => {
    const { api } = await startTestGitLab();
    const group = (await api("POST", "/groups", { name: "Team", path: "team" })).body;
    const inner = (await api("POST", "/groups", { name: "Inner", path: "inner", parent_id: group.id })).body;
    expect(inner.full_path).toBe("team/inner");
    const made = await api("POST", "/projects", { name: "My Demo", namespace_id: inner.id });
    expect(made).toMatchObject({ status: 201, body: { path: "my-demo", path_with_namespace: "team/inner/my-demo", default_branch: null } });
    expect((await api("GET", "/projects/team%2Finner%2Fmy-demo")).body).toEqual(made.body);
    for (const path of ["b", "c"]) await api("POST", "/projects", { path });
    const first = await api("GET", "/projects?per_page=2&order_by=id&sort=asc&pagination=keyset");
    expect(first.body.map(({ id }: Json) => id)).toEqual([1, 2]);
    const next = /<http:\/\/[^/]+\/api\/v4([^>]+)>; rel="next"/.exec(first.headers.get("link") ?? "")?.[1] ?? "";
    expect(next).toContain("id_after=2");
    const last = await api("GET", next);
    expect([last.body.length, last.headers.get("link")]).toEqual([1, null]);
    expect((await api("GET", `/groups/${group.id}/projects`)).body).toEqual([]);
    expect((await api("GET", `/groups/${group.id}/projects?include_subgroups=true`)).body).toHaveLength(1);
  });

  it("are refused with reasons", async () => {
    const { api } = await startTestGitLab();
    await api("POST", "/projects", { path: "demo" });
    expect(await api("POST", "/projects", { path: "demo" })).toMatchObject({
      status: 400,
      body: { message: { path: ["has already been taken"] } },
    });
    expect((await api("POST", "/projects", {})).status).toBe(400);
    for (const path of ["../up", "a/b", "x.git", "-x"]) expect((await api("POST", "/projects", { path })).status).toBe(400);
    expect((await api("POST", "/projects", { path: "x", namespace_id: 99 })).status).toBe(400);
  });

  it("go away with all that is theirs", async () => {
    const { api, push, bare, gitlab } = await startTestGitLab();
    const { projectId } = await push("root/demo", { ".gitlab-ci.yml": oneJob });
    expect((await api("DELETE", `/projects/${projectId}`)).status).toBe(202);
    expect((await api("GET", `/projects/${projectId}`)).status).toBe(404);
    const basic = { authorization: `Basic ${Buffer.from(`root:${gitlab.token}`).toString("base64")}` };
    expect((await bare("GET", "/root/demo.git/info/refs?service=git-upload-pack", basic)).status).toBe(404);
  });
});

describe("variables", () => {
  it("are kept, changed and removed; only what can be found in a log can be masked", async () => {
    const { api } = await startTestGitLab();
    await api("POST", "/projects", { path: "demo" });
    const path = "/projects/1/variables";
    const made = await api("POST", path, { key: "SECRET", value: "long-enough", masked: true });
    expect(made).toMatchObject({ status: 201, body: { key: "SECRET", value: "long-enough", masked: true, variable_type: "env_var" } });
    expect((await api("POST", path, { key: "SECRET", value: "x" })).status).toBe(400);
    expect((await api("POST", path, { key: "SHORT", value: "short", masked: true })).status).toBe(400);
    expect(
      (await api("POST", path, "key=FORM&value=from+a+form", { "content-type": "application/x-www-form-urlencoded" })).body.value,
    ).toBe("from a form");
    expect((await api("PUT", `${path}/FORM`, { value: "changed" })).body.value).toBe("changed");
    expect((await api("DELETE", `${path}/FORM`)).status).toBe(204);
    expect((await api("GET", path)).body).toHaveLength(1);
    expect((await api("GET", `${path}/FORM`)).status).toBe(404);
  });
});

describe("pipelines and jobs", () => {
  it("are shown with GitLab's fields", async () => {
    const { api, push, runner, bare } = await startTestGitLab();
    const { projectId } = await push("root/demo", { ".gitlab-ci.yml": manyJobs(1) });
    const made = await runner(projectId, { tag_list: ["a", "b", "c"] });
    const taken = (await bare("POST", "/api/v4/jobs/request", {}, { token: made.token, system_id: "s_1", info: { version: "18.5.0" } }))
      .body;
    const job = (await api("GET", `/projects/${projectId}/jobs/${taken.id}`)).body;
    expect(job).toMatchObject({
      id: taken.id,
      status: "running",
      name: "job-0",
      stage: "test",
      ref: "main",
      tag: false,
      allow_failure: false,
      finished_at: null,
      tag_list: ["a", "b"],
      pipeline: { project_id: projectId, ref: "main", status: "running", source: "push" },
      runner: { id: made.id, paused: false, online: true, status: "online", runner_type: "project_type" },
      runner_manager: { system_id: "s_1", version: "18.5.0" },
      artifacts: [],
    });
    expect(job.started_at).toMatch(isoTime);
    expect(job.queued_duration).toBeGreaterThanOrEqual(0);
    expect((await api("GET", `/runners/${made.id}/jobs?status=running`)).body).toMatchObject([
      { id: taken.id, project: { id: projectId } },
    ]);
    expect((await api("GET", `/runners/${made.id}/jobs?status=success`)).body).toEqual([]);
    expect((await api("GET", `/projects/${projectId}/jobs/999`)).status).toBe(404);
    await push("root/other", { "README.md": "hello\n" });
    expect((await api("GET", `/projects/root%2Fother/jobs/${taken.id}`)).status).toBe(404);
  });

  it("are listed by scope, newest first, and paged by keyset or number", async () => {
    const { api, push } = await startTestGitLab();
    const { projectId } = await push("root/demo", { ".gitlab-ci.yml": manyJobs(5) });
    await api("POST", `/projects/${projectId}/jobs/3/cancel`);
    const path = `/projects/${projectId}/jobs`;
    const ids = ({ body }: Json) => body.map(({ id }: Json) => id);
    expect(ids(await api("GET", `${path}?scope[]=pending&scope[]=running`))).toEqual([5, 4, 2, 1]);
    expect(ids(await api("GET", `${path}?scope=canceled`))).toEqual([3]);
    expect((await api("GET", `${path}?scope[]=odd`)).status).toBe(400);

    const seen: number[] = [];
    let next: string | undefined = `${path}?scope[]=pending&per_page=3&pagination=keyset&order_by=id&sort=desc`;
    while (next !== undefined) {
      const answer = await api("GET", next);
      seen.push(...ids(answer));
      expect(answer.headers.get("x-total")).toBeNull();
      next = /<http:\/\/[^/]+\/api\/v4([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
    }
    expect(seen).toEqual([5, 4, 2, 1]);

    const numbered = await api("GET", `${path}?per_page=2&page=2`);
    expect(ids(numbered)).toEqual([3, 2]);
    const header = (name: string) => numbered.headers.get(name);
    expect([header("x-page"), header("x-next-page"), header("x-prev-page"), header("x-total"), header("x-total-pages")]).toEqual([
      "2",
      "3",
      "1",
      null,
      null,
    ]);
    expect(header("link")).toContain('rel="next"');
    expect(header("link")).not.toContain('rel="last"');
    const counted = await api("GET", `/projects/${projectId}/pipelines/1/jobs?per_page=2&page=2`);
    expect([counted.headers.get("x-total"), counted.headers.get("x-total-pages")]).toEqual(["5", "3"]);
    for (const order of ["order_by=name", "sort=asc"]) {
      expect((await api("GET", `${path}?pagination=keyset&${order}`)).status).toBe(405);
    }
    expect((await api("GET", "/projects?pagination=keyset")).status).toBe(405);
    expect((await api("GET", `${path}?per_page=100&page=501`)).status).toBe(405);
    expect((await api("GET", `${path}?page=0`)).status).toBe(400);
  });

  it("are made of a ref with variables, cancelled and repeated", async () => {
    const { api, push, runner, bare } = await startTestGitLab();
    const { projectId } = await push("root/demo", { ".gitlab-ci.yml": oneJob });
    await api("POST", `/projects/${projectId}/pipelines/1/cancel`);
    const path = `/projects/${projectId}`;
    const made = await api("POST", `${path}/pipeline`, { ref: "main", variables: [{ key: "WHO", value: "me" }] });
    expect(made).toMatchObject({ status: 201, body: { status: "pending", source: "api", ref: "main", yaml_errors: null } });
    const { token } = await runner(projectId);
    const job = (await bare("POST", "/api/v4/jobs/request", {}, { token })).body;
    expect(job.variables).toContainEqual(expect.objectContaining({ key: "WHO", value: "me" }));

    const cancelled = await api("POST", `${path}/pipelines/${made.body.id}/cancel`);
    expect([cancelled.status, cancelled.body.status]).toEqual([200, "canceled"]);
    expect(await api("POST", `${path}/jobs/${job.id}/cancel`)).toMatchObject({ status: 201, body: { id: job.id } });
    const again = await api("POST", `${path}/jobs/${job.id}/retry`);
    expect([again.status, again.body.status]).toEqual([201, "pending"]);
    expect(again.body.id).not.toBe(job.id);
    expect((await api("POST", `${path}/jobs/${job.id}/retry`)).status).toBe(403);
    expect((await api("POST", `${path}/jobs/${again.body.id}/play`)).status).toBe(400);
    const jobs = `${path}/pipelines/${made.body.id}/jobs`;
    expect((await api("GET", jobs)).body).toHaveLength(1);
    expect((await api("GET", `${jobs}?include_retried=true`)).body).toHaveLength(2);
    expect((await api("POST", `${path}/pipelines/${made.body.id}/retry`)).status).toBe(201);
  });

  it("are refused without a ref, a known one, or a file that can be read", async () => {
    const { api, push } = await startTestGitLab();
    const { projectId } = await push("root/demo", { ".gitlab-ci.yml": "unit: {}\n" });
    const path = `/projects/${projectId}/pipeline`;
    expect((await api("POST", path, {})).body).toEqual({ error: "ref is missing" });
    expect((await api("POST", path, { ref: "nowhere" })).body).toEqual({ message: { base: ["Reference not found"] } });
    const refused = await api("POST", path, { ref: "main" });
    expect([refused.status, refused.body.message.base[0]]).toEqual([400, expect.stringContaining("unit")]);
  });

  it("with manual jobs wait until they are played", async () => {
    const { api, push } = await startTestGitLab();
    const { projectId } = await push("root/demo", { ".gitlab-ci.yml": "deploy:\n  when: manual\n  script: [echo go]\n" });
    const [job] = (await api("GET", `/projects/${projectId}/jobs?scope[]=manual`)).body;
    const played = await api("POST", `/projects/${projectId}/jobs/${job.id}/play`);
    expect([played.status, played.body.status, played.body.id]).toEqual([200, "pending", job.id]);
    await api("POST", `/projects/${projectId}/jobs/${job.id}/cancel`);
    const again = await api("POST", `/projects/${projectId}/jobs/${job.id}/play`);
    expect([again.status, again.body.status, again.body.id]).toEqual([200, "pending", job.id + 1]);
  });

  it("with delayed jobs and resource groups wait in states of their own, and tell of no state between", async () => {
    const { api, push, gitlab } = await startTestGitLab();
    const receiver = await startReceiver();
    const { projectId } = await push("root/demo", { "README.md": "no jobs yet\n" });
    await api("POST", `/projects/${projectId}/hooks`, { url: receiver.url, job_events: true });
    const file = `
later: {when: delayed, start_in: 1 hour, script: [x]}
first: {resource_group: production, script: [x]}
second: {resource_group: production, script: [x]}
`;
    await push("root/demo", { ".gitlab-ci.yml": file });
    const path = `/projects/${projectId}/jobs`;
    const named = async (scope: string) => (await api("GET", `${path}?scope[]=${scope}`)).body;
    const [[later], [waiting], [pending]] = await Promise.all(["scheduled", "waiting_for_resource", "pending"].map(named));
    expect([later.name, waiting.name, pending.name]).toEqual(["later", "second", "first"]);
    expect(waiting).toMatchObject({ queued_duration: null, started_at: null });
    expect((await api("POST", `${path}/${waiting.id}/play`)).status).toBe(400);
    expect((await api("POST", `${path}/${later.id}/play`)).body.status).toBe("pending");
    await api("POST", `${path}/${pending.id}/cancel`);
    expect((await api("GET", `${path}/${waiting.id}`)).body.status).toBe("pending");
    await gitlab.hooksDelivered();
    const told = receiver.received.map(({ body }) => `${body.build_name} ${body.build_status}`).sort();
    const wanted = ["first canceled", "later pending", "second pending"];
    expect(told).toEqual(["first created", "first pending", "later created", "second created", ...wanted].sort());
  });
});

describe("runners", () => {
  it("are made, found, paused and deleted", async () => {
    const { api } = await startTestGitLab();
    await api("POST", "/projects", { path: "demo" });
    const made = await api("POST", "/user/runners", {
      runner_type: "project_type",
      project_id: 1,
      description: "firerunner/me/small/vm-1",
      tag_list: ["firerunner", "large"],
      run_untagged: false,
      locked: true,
      maximum_timeout: 3600,
    });
    expect(made).toMatchObject({ status: 201, body: { id: 1, token: expect.stringMatching(/^glrt-/), token_expires_at: null } });
    await api("POST", "/user/runners", "runner_type=instance_type&tag_list=x,y", { "content-type": "application/x-www-form-urlencoded" });

    const list = async (path: string) => (await api("GET", path)).body.map(({ id }: Json) => id);
    expect(await list("/runners")).toEqual([1]);
    expect(await list("/runners/all")).toEqual([2, 1]);
    expect(await list("/projects/1/runners")).toEqual([2, 1]);
    expect(await list("/runners/all?type=instance_type")).toEqual([2]);
    expect(await list("/runners/all?tag_list=firerunner,large")).toEqual([1]);
    expect(await list("/runners/all?status=online")).toEqual([]);
    const paused = await api("PUT", "/runners/1", { paused: true });
    expect(paused).toMatchObject({
      status: 200,
      body: {
        id: 1,
        paused: true,
        active: false,
        tag_list: ["firerunner", "large"],
        run_untagged: false,
        maximum_timeout: 3600,
        locked: true,
      },
    });
    expect(paused.body.projects).toMatchObject([{ path_with_namespace: "root/demo" }]);
    expect(await list("/runners/all?paused=true")).toEqual([1]);
    expect((await api("DELETE", "/runners/1")).status).toBe(204);
    expect((await api("DELETE", "/runners/1")).status).toBe(404);
  });

  it("are refused when their settings do not fit, or the plan has no room for more", async () => {
    const { api, gitlab } = await startTestGitLab();
    await api("POST", "/projects", { path: "demo" });
    const make = (settings: Json) => api("POST", "/user/runners", { runner_type: "project_type", project_id: 1, ...settings });
    expect((await api("POST", "/user/runners", {})).body).toEqual({ error: "runner_type is missing" });
    expect((await api("POST", "/user/runners", { runner_type: "odd" })).body.error).toContain("valid value");
    expect((await make({ run_untagged: false })).status).toBe(400);
    expect((await make({ maximum_timeout: 60 })).status).toBe(400);
    expect((await make({ tag_list: Array.from({ length: 51 }, (_, n) => `t${n}`) })).status).toBe(400);
    expect(await make({ project_id: 9 })).toMatchObject({ status: 400, body: { message: "400 Bad request - Missing/invalid project" } });
    gitlab.setDials({ runnerLimit: 1 });
    expect((await make({})).status).toBe(201);
    expect(await make({})).toMatchObject({
      status: 400,
      body: { message: "400 Bad request - Runner projects base Maximum number of ci registered project runners (1) exceeded" },
    });
  });
});

describe("hooks", () => {
  it("are refused with a bad address, and an unknown trigger is no test", async () => {
    const { api } = await startTestGitLab();
    await api("POST", "/projects", { path: "demo" });
    const path = "/projects/1/hooks";
    for (const url of ["nowhere", "ftp://x/", ""]) expect((await api("POST", path, { url })).status).toBe(422);
    const { body } = await api("POST", path, { url: "http://127.0.0.1:1/", job_events: "true" });
    expect(body).toMatchObject({ job_events: true, push_events: true, pipeline_events: false, alert_status: "executable" });
    expect((await api("POST", `${path}/${body.id}/test/odd_events`)).status).toBe(400);
    expect((await api("POST", `${path}/${body.id}/test/job_events`)).status).toBe(422);
    expect((await api("GET", path)).body).toHaveLength(1);
    expect((await api("GET", `${path}/99`)).status).toBe(404);
  });
});
