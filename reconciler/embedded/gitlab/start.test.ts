import { mkdir, readdir, readlink, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../model/clock.js";
import { until } from "../../model/until.fixture.js";
import { seededRandom } from "../host/seeded-random.js";
import { oneJob, startTestGitLab } from "./gitlab.fixture.js";
import { startEmbeddedGitLab } from "./start.js";

const start = (listen: string, directory: string) =>
  startEmbeddedGitLab({ listen, directory, clock: systemClock, random: seededRandom(), token: "glpat-given" });

/** The processes that work in this GitLab's directory: git is started there. */
async function gitProcesses(directory: string): Promise<readonly string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(ids.map((id) => readlink(`/proc/${id}/cwd`).catch(() => "")));
  return folders.filter((folder) => folder === directory || folder.startsWith(`${directory}/repositories`));
}

describe("the embedded GitLab", () => {
  it("says where it listens and takes the token that it was given", async () => {
    const { directory } = await startTestGitLab();
    const gitlab = await start("127.0.0.1:0", `${directory}/own`);
    expect(gitlab.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(gitlab.token).toBe("glpat-given");
    const answer = await fetch(`${gitlab.url}/api/v4/metadata`, { headers: { "private-token": gitlab.token } });
    expect(await answer.json()).toMatchObject({ version: "18.5.1", enterprise: false });
    await gitlab.stop();
    await gitlab.stop();
    await expect(fetch(gitlab.url)).rejects.toThrow();
  });

  it("begins anew, whatever an earlier one left in its directory", async () => {
    const { directory } = await startTestGitLab();
    const own = `${directory}/own`;
    for (const file of ["repositories/1.git/HEAD", "logs/1.log"]) {
      await mkdir(dirname(join(own, file)), { recursive: true });
      await writeFile(join(own, file), "old");
    }
    const gitlab = await start("127.0.0.1:0", own);
    expect(await readdir(join(own, "logs"))).toEqual([]);
    await gitlab.stop();
  });

  it("refuses an address that is none, or that is taken", async () => {
    const { directory } = await startTestGitLab();
    await expect(start("here", `${directory}/own`)).rejects.toMatchObject({
      code: "FR-INVALID",
      message: expect.stringContaining('"here"'),
    });
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await expect(start(`127.0.0.1:${port}`, `${directory}/own`)).rejects.toMatchObject({ code: "FR-CONFIG" });
    await new Promise((resolve) => other.close(resolve));
  });

  it("stops although a push hangs in the middle, and leaves no git process behind", async () => {
    const { gitlab, directory, push } = await startTestGitLab();
    await push("root/demo", { ".gitlab-ci.yml": oneJob });
    const { hostname, port } = new URL(gitlab.url);
    const socket = connect(Number(port), hostname);
    const basic = Buffer.from(`root:${gitlab.token}`).toString("base64");
    const head = [
      "POST /root/demo.git/git-receive-pack HTTP/1.1",
      `Host: ${hostname}`,
      `Authorization: Basic ${basic}`,
      "Content-Type: application/x-git-receive-pack-request",
      "Content-Length: 100000",
    ];
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => {});
    socket.write(`${head.join("\r\n")}\r\n\r\n00`);
    await until(async () => (await gitProcesses(directory)).length > 0, "git waits for the rest of the push");
    await gitlab.stop();
    await closed;
    expect(await gitProcesses(directory)).toEqual([]);
  });

  it("lets a push that breaks off in the middle change nothing, and takes the next one", async () => {
    const { gitlab, directory, push, api } = await startTestGitLab();
    const { projectId } = await push("root/demo", { "README.md": "first\n" });
    const { hostname, port } = new URL(gitlab.url);
    const socket = connect(Number(port), hostname);
    const basic = Buffer.from(`root:${gitlab.token}`).toString("base64");
    socket.write(
      `POST /root/demo.git/git-receive-pack HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Basic ${basic}\r\n` +
        "Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 100000\r\n\r\n00",
    );
    await until(async () => (await gitProcesses(directory)).length > 0, "git waits for the rest of the push");
    socket.destroy();
    await push("root/demo", { ".gitlab-ci.yml": oneJob });
    expect((await api("GET", `/projects/${projectId}/pipelines`)).body).toHaveLength(1);
    await until(async () => (await gitProcesses(directory)).length === 0, "git is gone");
  });
});
