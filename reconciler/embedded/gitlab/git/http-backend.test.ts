import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../../model/clock.js";
import { git } from "../gitlab.fixture.js";
import { answerWithBackend } from "./http-backend.js";
import { createGitProcesses } from "./processes.js";

it("ends a push whose sender went away while git started", async () => {
  const home = await mkdtemp(join(tmpdir(), "http-backend-"));
  const processes = createGitProcesses({ clock: systemClock, home });
  const server = createServer();
  onTestFinished(async () => {
    await processes.stop();
    server.close();
    await rm(home, { recursive: true, force: true });
  });
  await git(home, "init", "--quiet", "--bare", "1.git");
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write("POST / HTTP/1.1\r\nHost: here\r\nContent-Type: application/x-git-receive-pack-request\r\nContent-Length: 100000\r\n\r\n00");

  const [request, response] = await once(server, "request");
  const gone = once(response, "close");
  const exits: Promise<number | null>[] = [];
  const start: typeof processes.start = async (args, env) => {
    socket.destroy();
    await gone;
    const started = await processes.start(args, env);
    exits.push(started.ended);
    return started;
  };
  const asked = { request, response, root: home, path: "/1.git/git-receive-pack", query: "", user: "root" };
  await answerWithBackend({ git: { ...processes, start }, clock: systemClock, maxRequestBytes: 1_000_000 }, asked, async () => {});
  expect(await Promise.all(exits)).toEqual([null]);
});
