import { describe, expect, it } from "vitest";
import { startWorld, token } from "./gitlab-server.fixture.js";

const path = "GET /projects/380/jobs/41977/trace";

describe("a job's log", () => {
  it("is given as it is", async () => {
    const { gitlab, forge, connection } = await startWorld();
    const text = "\u001b[0Ksection_start:1:prepare\r\n$ echo ünïcödé\nünïcödé\n";
    gitlab.script(path, { text, type: "text/plain" });
    expect(await forge.jobLog(connection(), 380, 41_977)).toBe(text);
    expect(gitlab.seen[0]?.headers).toMatchObject({ accept: "text/plain", "private-token": token });
  });

  it("is empty for a job that has written nothing, and undefined for one that is not known", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(path, { text: "", type: "text/plain" });
    expect(await forge.jobLog(connection(), 380, 41_977)).toBe("");
    gitlab.script(path, { status: 404, json: { message: "404 Not found" } });
    expect(await forge.jobLog(connection(), 380, 41_977)).toBeUndefined();
  });

  it("keeps its end when it is long, from the beginning of a line, and says how much is missing", async () => {
    const { gitlab, forge, connection } = await startWorld({ maxLogBytes: 100 });
    const lines = Array.from({ length: 500 }, (_, index) => `line ${String(index).padStart(3, "0")}: ö\n`);
    gitlab.script(path, { text: lines.join(""), type: "text/plain" });

    const log = (await forge.jobLog(connection(), 380, 41_977)) ?? "";
    const [first = "", ...kept] = log.split(/(?<=\n)/);
    expect(kept).toEqual(lines.slice(-kept.length));
    expect(Buffer.byteLength(kept.join(""))).toBeGreaterThan(80);
    const missing = Buffer.byteLength(lines.join("")) - Buffer.byteLength(kept.join(""));
    expect(first).toBe(`[${missing} bytes at the beginning are left out]\n`);
  });

  it("is repeated and refused like any other reading", async () => {
    const { gitlab, forge, connection, clock } = await startWorld();
    gitlab.script(path, { status: 502, text: "", type: "" }, { status: 403, json: { message: "403 Forbidden" } });
    await expect(forge.jobLog(connection(), 380, 41_977)).rejects.toMatchObject({
      code: "FR-FORGE-UNAUTHORIZED",
      message: expect.stringContaining("reading the log of job 41977 of project 380: GitLab answered 403"),
    });
    expect(clock.pauses).toEqual([125]);
  });
});
