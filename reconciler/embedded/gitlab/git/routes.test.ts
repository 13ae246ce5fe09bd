import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { git, oneJob, startTestGitLab } from "../gitlab.fixture.js";

const withToken = (url: string, user: string, token: string, path: string) => `http://${user}:${token}@${new URL(url).host}/${path}.git`;

describe("git over HTTP", () => {
  it("makes a pipeline of a pushed branch's own file before the push ends", async () => {
    const { push, api } = await startTestGitLab();
    const { projectId, folder } = await push("root/demo", { ".gitlab-ci.yml": oneJob, "README.md": "hello\n" }, { message: "First words" });
    const sha = (await git(folder, "rev-parse", "HEAD")).trim();

    const project = (await api("GET", `/projects/${projectId}`)).body;
    expect(project).toMatchObject({ path_with_namespace: "root/demo", default_branch: "main" });
    const pipelines = (await api("GET", `/projects/${projectId}/pipelines`)).body;
    expect(pipelines).toMatchObject([{ sha, ref: "main", source: "push", status: "pending" }]);
    const jobs = (await api("GET", `/projects/${projectId}/jobs`)).body;
    expect(jobs).toMatchObject([{ name: "unit", status: "pending", commit: { title: "First words", author_name: "Ada" } }]);
  });

  it("takes a push whose file is refused, and shows why as a failed pipeline", async () => {
    const { push, api } = await startTestGitLab();
    const { projectId } = await push("root/demo", { ".gitlab-ci.yml": "unit:\n  scrpt: [true]\n" });
    const [pipeline] = (await api("GET", `/projects/${projectId}/pipelines`)).body;
    expect(pipeline.status).toBe("failed");
    const details = (await api("GET", `/projects/${projectId}/pipelines/${pipeline.id}`)).body;
    expect(details.yaml_errors).toContain("scrpt");
  });

  it("makes no pipeline without a file, or when the commit says so", async () => {
    const { push, api } = await startTestGitLab();
    const { projectId } = await push("root/demo", { "README.md": "hello\n" });
    await push("root/demo", { ".gitlab-ci.yml": oneJob }, { message: "Quietly [skip ci]" });
    expect((await api("GET", `/projects/${projectId}/pipelines`)).body).toEqual([]);
  });

  it("tells a later push what came before it, and lets another branch leave the default one alone", async () => {
    const { push, api, gitlab, directory } = await startTestGitLab();
    const { projectId, folder: pushed } = await push("root/demo", { ".gitlab-ci.yml": oneJob });
    const folder = join(directory, "more");
    await cp(pushed, folder, { recursive: true });
    const first = (await git(folder, "rev-parse", "HEAD")).trim();
    const origin = withToken(gitlab.url, "root", gitlab.token, "root/demo");
    await git(folder, "commit", "--quiet", "--allow-empty", "-m", "Second");
    await git(folder, "push", "--quiet", origin, "main", "main:topic");
    const pipelines = (await api("GET", `/projects/${projectId}/pipelines`)).body;
    expect(pipelines.map((pipeline: { ref: string }) => pipeline.ref).sort()).toEqual(["main", "main", "topic"]);
    const [ofMain] = (await api("GET", `/projects/${projectId}/pipelines?ref=main`)).body;
    expect((await api("GET", `/projects/${projectId}/pipelines/${ofMain.id}`)).body.before_sha).toBe(first);
    expect((await api("GET", `/projects/${projectId}`)).body.default_branch).toBe("main");
  });

  it("lets a running job clone its own project, and nothing else", async () => {
    const { push, runner, bare, gitlab, directory } = await startTestGitLab();
    const { projectId } = await push("root/demo", { ".gitlab-ci.yml": oneJob, "greetings/en.txt": "hello\n" });
    await push("root/other", { "README.md": "private\n" });
    const { token } = await runner(projectId);
    const job = (await bare("POST", "/api/v4/jobs/request", {}, { token })).body;

    expect(job.git_info.repo_url).toBe(withToken(gitlab.url, "gitlab-ci-token", job.token, "root/demo"));
    await git(directory, "clone", "--quiet", job.git_info.repo_url, "cloned");
    expect(await readFile(join(directory, "cloned/greetings/en.txt"), "utf8")).toBe("hello\n");
    await git(directory, "init", "--quiet", "fetched");
    await git(join(directory, "fetched"), "fetch", "--quiet", "--depth=1", job.git_info.repo_url, job.git_info.sha);

    const refused = (...args: readonly string[]) => expect(git(directory, ...args)).rejects.toThrow(/403|401|denied|Authentication/i);
    await refused("clone", withToken(gitlab.url, "gitlab-ci-token", job.token, "root/other"), "other");
    await refused("-C", "cloned", "push", "--quiet", job.git_info.repo_url, "HEAD:refs/heads/mine");
    await bare("PUT", `/api/v4/jobs/${job.id}`, {}, { token: job.token, state: "success" });
    await refused("clone", job.git_info.repo_url, "late");
  });

  it("asks for a password where one is needed, and refuses wrong ones", async () => {
    const { push, bare, gitlab, directory } = await startTestGitLab();
    await push("root/demo", { "README.md": "hello\n" });
    const path = "/root/demo.git/info/refs?service=git-upload-pack";
    const answer = await bare("GET", path);
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, 'Basic realm="GitLab"']);
    await expect(git(directory, "clone", withToken(gitlab.url, "root", "glpat-wrong", "root/demo"), "x")).rejects.toThrow();
    const basic = { authorization: `Basic ${Buffer.from(`root:${gitlab.token}`).toString("base64")}` };
    expect((await bare("GET", path, basic)).status).toBe(200);
    expect((await bare("GET", "/root/none.git/info/refs?service=git-upload-pack", basic)).status).toBe(404);
    expect((await bare("GET", "/root/demo.git/HEAD", basic)).status).toBe(404);
    expect((await bare("GET", "/nowhere/demo.git/info/refs?service=git-receive-pack", basic)).status).toBe(404);
  });

  it("keeps a token to what it may do: one for reading neither pushes nor makes a project", async () => {
    const { api, push, bare, gitlab, directory } = await startTestGitLab();
    await push("root/demo", { "README.md": "hello\n" });
    const { token } = (await api("POST", "/users/1/personal_access_tokens", { name: "reader", scopes: ["read_repository"] })).body;
    await git(directory, "clone", "--quiet", withToken(gitlab.url, "root", token, "root/demo"), "read");
    await expect(git(join(directory, "read"), "push", "--quiet", "origin", "HEAD:mine")).rejects.toThrow(/403/);
    await expect(git(join(directory, "read"), "push", withToken(gitlab.url, "root", token, "root/new"), "HEAD:main")).rejects.toThrow();
    expect((await api("GET", "/projects")).body).toHaveLength(1);
    // Repositories are found by their path alone.
    const basic = { authorization: `Basic ${Buffer.from(`root:${gitlab.token}`).toString("base64")}` };
    expect((await bare("GET", "/1.git/info/refs?service=git-upload-pack", basic)).status).toBe(404);
  });

  it("lets everybody clone a public project", async () => {
    const { api, push, gitlab, directory } = await startTestGitLab();
    await api("POST", "/projects", { path: "open", visibility: "public" });
    await push("root/open", { "README.md": "hello\n" });
    await git(directory, "clone", "--quiet", `${gitlab.url}/root/open.git`, "open");
    await expect(git(join(directory, "open"), "push", "--quiet", `${gitlab.url}/root/open.git`, "HEAD:x")).rejects.toThrow();
  });
});
