import { describe, expect, it } from "vitest";
import { type Json, oneJob, startReceiver, startTestGitLab } from "../gitlab.fixture.js";

describe("protected branches and tags", () => {
  it("are listed, found, made and removed; the default branch is protected from the first push on", async () => {
    const { api, push } = await startTestGitLab();
    const { projectId } = await push("root/demo", { "README.md": "hello\n" });
    const branches = `/projects/${projectId}/protected_branches`;
    const [main] = (await api("GET", branches)).body;
    expect(main).toMatchObject({
      name: "main",
      allow_force_push: false,
      push_access_levels: [{ access_level: 40, access_level_description: "Maintainers" }],
      merge_access_levels: [{ access_level: 40 }],
    });
    const made = await api("POST", branches, { name: "release/*" });
    expect(made).toMatchObject({ status: 201, body: { name: "release/*" } });
    expect((await api("GET", `${branches}/release%2F*`)).body).toEqual(made.body);
    expect(await api("POST", branches, { name: "main" })).toMatchObject({
      status: 409,
      body: { message: "Protected branch 'main' already exists" },
    });
    const listed = await api("GET", `${branches}?per_page=1`);
    expect([listed.body.length, listed.headers.get("x-total")]).toEqual([1, "2"]);
    expect((await api("DELETE", `${branches}/main`)).status).toBe(204);
    expect((await api("GET", `${branches}/main`)).status).toBe(404);
    const tags = `/projects/${projectId}/protected_tags`;
    expect((await api("POST", tags, { name: "v*" })).body).toMatchObject({ name: "v*", create_access_levels: [{ access_level: 40 }] });
    expect((await api("POST", tags, { name: "v*" })).status).toBe(422);
    expect((await api("GET", tags)).body).toHaveLength(1);
  });

  it("make pipelines protected, by names and by wildcards, as Pipeline Hooks tell", async () => {
    const { api, push, settle, gitlab } = await startTestGitLab();
    const receiver = await startReceiver();
    const { projectId } = await push("root/demo", { "README.md": "hello\n" });
    await settle.protect(projectId, "branches", "release/*/final");
    await settle.protect(projectId, "branches", "exact");
    await settle.protect(projectId, "tags", "v*");
    await api("POST", `/projects/${projectId}/hooks`, { url: receiver.url, pipeline_events: true });
    const names = ["exact", "exact-not", "release/1/final", "release/final", "release/2/final-not", "topic"];
    for (const branch of names) await push("root/demo", { ".gitlab-ci.yml": oneJob }, { branch });
    await push("root/demo", { ".gitlab-ci.yml": oneJob }, { branch: "topic", tag: "v1" });
    await gitlab.hooksDelivered();
    const told = new Map(
      receiver.received.map(({ body: { object_attributes: of } }: Json) => [`${of.tag ? "tag " : ""}${of.ref}`, of.protected_ref]),
    );
    expect(Object.fromEntries(told)).toEqual({
      exact: true,
      "exact-not": false,
      "release/1/final": true,
      "release/final": false,
      "release/2/final-not": false,
      topic: false,
      "tag v1": true,
    });
  });

  it("are all that runners for protected refs take jobs of", async () => {
    const { push, settle, runner, take } = await startTestGitLab();
    const { projectId } = await push("root/demo", { "README.md": "hello\n" });
    await settle.protect(projectId, "branches", "release/*");
    for (const branch of ["open", "release/1"]) await push("root/demo", { ".gitlab-ci.yml": oneJob }, { branch });
    const { token } = await runner(projectId, { access_level: "ref_protected" });
    const taken = await take(token);
    expect([taken.status, taken.body.git_info.ref, taken.body.git_info.protected]).toEqual([201, "release/1", true]);
    expect((await take(token)).status).toBe(204);
    const { token: any } = await runner(projectId);
    expect((await take(any)).body.git_info).toMatchObject({ ref: "open", protected: false });
  });
});
