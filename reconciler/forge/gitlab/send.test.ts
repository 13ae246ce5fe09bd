import { describe, expect, it, vi } from "vitest";
import { aJob, startWorld, token, type World } from "./gitlab-server.fixture.js";

const path = "GET /projects/380/jobs/41977";
const read = ({ forge, connection }: World) => forge.readJob(connection(), 380, 41_977);
const json = { "content-type": "application/json" };

describe("a request to GitLab", () => {
  it.each([408, 500, 502, 503, 504])("is repeated after %i, later each time", async (status) => {
    const world = await startWorld();
    const broken = { status, json: { message: "no" } };
    world.gitlab.script(path, broken, broken, broken, { json: aJob() });
    expect(await read(world)).toMatchObject({ jobId: 41_977 });
    expect(world.clock.pauses).toEqual([125, 250, 500]);
  });

  it("is given up after its last try", async () => {
    const world = await startWorld({ tries: 3 });
    world.gitlab.script(path, { status: 503, json: {} });
    await expect(read(world)).rejects.toMatchObject({ code: "FR-FORGE-UNREACHABLE", retryable: true, details: { status: 503 } });
    expect(world.gitlab.seen).toHaveLength(3);
  });

  it.each(["reset", "cut"] as const)("is repeated after a %s connection", async (reply) => {
    const world = await startWorld();
    world.gitlab.script(path, reply, { json: aJob() });
    expect(await read(world)).toMatchObject({ jobId: 41_977 });
    expect(world.gitlab.seen).toHaveLength(2);
  });

  it("waits as long as GitLab asks, in seconds or by a date, and a little more", async () => {
    const world = await startWorld();
    const date = new Date(world.clock.now() + 6_000).toUTCString();
    world.gitlab.script(
      path,
      { status: 429, json: {}, headers: { "retry-after": "3" } },
      { status: 503, json: {}, headers: { "retry-after": date } },
      { json: aJob() },
    );
    expect(await read(world)).toMatchObject({ jobId: 41_977 });
    expect(world.clock.pauses).toEqual([3_125, 6_000 - 3_125 + 250]);
  });

  it("waits for the limit's reset when there were too many, and does not mind it otherwise", async () => {
    const world = await startWorld();
    const reset = { "ratelimit-reset": String(world.clock.now() / 1000 + 5) };
    world.gitlab.script(path, { status: 502, json: {}, headers: reset }, { status: 429, json: {}, headers: reset }, { json: aJob() });
    expect(await read(world)).toMatchObject({ jobId: 41_977 });
    expect(world.clock.pauses).toEqual([125, 5_000 - 125 + 250]);
  });

  it("is not held longer than its call may last: the wish is passed on", async () => {
    const world = await startWorld();
    world.gitlab.script(path, { status: 429, json: { message: "slow down" }, headers: { "retry-after": "60" } });
    await expect(read(world)).rejects.toMatchObject({
      code: "FR-FORGE-RATE-LIMITED",
      retryable: true,
      retryAfterMs: 60_000,
      message: expect.stringContaining("GitLab answered 429: slow down"),
    });
    expect(world.gitlab.seen).toHaveLength(1);
  });

  it("is ended after its own time, and sent again", async () => {
    const world = await startWorld();
    world.gitlab.script(path, "hang", { json: aJob() });
    const reading = read(world);
    await world.gitlab.untilSeen(1);
    await world.clock.advance(10_000);
    expect(await reading).toMatchObject({ jobId: 41_977 });
  });

  it("is ended with its call's time", async () => {
    const world = await startWorld();
    world.gitlab.script(path, "hang");
    const refused = expect(read(world)).rejects.toMatchObject({
      code: "FR-FORGE-UNREACHABLE",
      retryable: true,
      message: `connection "harbour" (${world.gitlab.url}): reading job 41977 of project 380: not answered within 14 s`,
    });
    await world.gitlab.untilSeen(1);
    await world.clock.advance(14_000);
    await refused;
    expect(world.clock.waiting).toBe(0);
  });

  it("is not sent on to another address", async () => {
    const world = await startWorld();
    world.gitlab.script(path, {
      status: 302,
      headers: { location: `${world.gitlab.url}/elsewhere?private_token=${token}`, ...json },
      json: {},
    });
    const refusal = await read(world).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: "FR-FORGE-REJECTED",
      message: expect.stringMatching(/points to http:.*\/elsewhere.*the connection's url must be GitLab's own address/),
    });
    expect(String(refusal)).not.toContain(token);
    expect(world.gitlab.seen).toHaveLength(1);
  });

  it("refuses an answer that is too large", async () => {
    const world = await startWorld({ maxAnswerBytes: 2_000 });
    world.gitlab.script(path, { json: aJob({ name: "x".repeat(2_000) }) });
    await expect(read(world)).rejects.toMatchObject({
      code: "FR-FORGE-REJECTED",
      message: expect.stringContaining("larger than 2000 bytes"),
    });
    expect(world.gitlab.seen).toHaveLength(1);
  });

  it("is refused without a repeat when the token is wrong", async () => {
    const world = await startWorld();
    world.gitlab.script(path, { status: 401, json: { message: "401 Unauthorized" } });
    await expect(read(world)).rejects.toMatchObject({
      code: "FR-FORGE-UNAUTHORIZED",
      message: expect.stringContaining("401 Unauthorized; the token env:TOKEN is wrong, expired or revoked"),
    });
    expect(world.gitlab.seen).toHaveLength(1);
  });

  it("is sent once more with the token that took the refused one's place", async () => {
    const world = await startWorld();
    world.gitlab.script(path, () => {
      world.secrets.set("env:TOKEN", "glpat-the-new-one");
      world.gitlab.script(path, { json: aJob() });
      return { status: 401, json: { message: "401 Unauthorized" } };
    });
    expect(await read(world)).toMatchObject({ jobId: 41_977 });
    expect(world.gitlab.seen.map(({ headers }) => headers["private-token"])).toEqual([token, "glpat-the-new-one"]);
  });

  it("is repeated for a new token only once", async () => {
    const world = await startWorld();
    let count = 0;
    world.gitlab.script(path, () => {
      count += 1;
      world.secrets.set("env:TOKEN", `glpat-${count}`);
      return { status: 401, json: {} };
    });
    await expect(read(world)).rejects.toMatchObject({ code: "FR-FORGE-UNAUTHORIZED" });
    expect(count).toBe(2);
  });

  it("says what a token of too little scope needs", async () => {
    const world = await startWorld();
    const said = { error: "insufficient_scope", error_description: "The request requires higher privileges than provided." };
    world.gitlab.script(path, { status: 403, json: said });
    await expect(read(world)).rejects.toMatchObject({
      code: "FR-FORGE-UNAUTHORIZED",
      details: { status: 403, tokenScope: true },
      message: expect.stringMatching(/insufficient_scope: The request requires.*env:TOKEN needs the scope read_api, and the role Reporter/),
    });
  });

  it.each(["", " ", "two words", "Zeilen\numbruch"])("is not sent with the token %j", async (wrong) => {
    const world = await startWorld();
    world.secrets.set("env:TOKEN", wrong);
    const refusal = await read(world).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "FR-CONFIG" });
    if (wrong.trim() !== "") expect(String(refusal)).not.toContain(wrong);
    expect(world.gitlab.seen).toHaveLength(0);
  });

  it("takes a token with the line end of its file", async () => {
    const world = await startWorld();
    world.secrets.set("env:TOKEN", `${token}\n`);
    world.gitlab.script(path, { json: aJob() });
    await read(world);
    expect(world.gitlab.seen[0]?.headers["private-token"]).toBe(token);
  });

  it("keeps its connection for the next one, but what must not be done twice gets its own", async () => {
    const world = await startWorld();
    world.gitlab.script(path, { json: aJob() });
    world.gitlab.script("POST /user/runners", { status: 201, json: { id: 1, token: "glrt-x" } });
    await read(world);
    await world.forge.makeRunner(world.connection(), { description: "x", tags: ["y"], runUntagged: false, maxJobTimeoutS: 600 });
    await read(world);
    expect(world.gitlab.seen.map(({ connection }) => connection)).toEqual([0, 1, 0]);
  });
});

describe("requests of one credential", () => {
  it("are sent a few at a time, in their order, and others do not wait for them", async () => {
    const world = await startWorld({ concurrency: 2 });
    world.secrets.set("env:OTHER", "glpat-of-somebody-else");
    world.gitlab.script("GET /projects/380/jobs/1", "hang");
    world.gitlab.script("GET /projects/380/jobs/2", "hang");
    world.gitlab.script("GET /projects/380/jobs/3", { json: aJob({ id: 3 }) });
    const slow = [1, 2].map((id) => world.forge.readJob(world.connection(), 380, id).catch(() => undefined));
    await world.gitlab.untilSeen(2);
    const third = world.forge.readJob(world.connection(), 380, 3).catch(() => undefined);
    const other = world.forge.readJob({ ...world.connection(), token: "env:OTHER" }, 380, 3);
    expect(await other).toMatchObject({ jobId: 3 });
    expect(world.gitlab.seen).toHaveLength(3);
    await world.clock.advance(10_000);
    expect(await third).toMatchObject({ jobId: 3 });
    await world.forge.stop();
    await Promise.all(slow);
  });

  it("are refused when too many wait", async () => {
    const world = await startWorld({ concurrency: 1, queue: 1 });
    world.gitlab.script(path, "hang");
    const waiting = [read(world), read(world)].map((reading) => reading.catch((error: unknown) => error));
    await world.gitlab.untilSeen(1);
    await expect(read(world)).rejects.toMatchObject({
      code: "FR-FORGE-UNREACHABLE",
      retryable: true,
      message: expect.stringContaining("1 requests wait already"),
    });
    await world.forge.stop();
    await Promise.all(waiting);
  });
});

describe("stopping", () => {
  it("ends what runs, waits or pauses, and refuses what comes later", async () => {
    const world = await startWorld({ concurrency: 1, baseMs: 100_000, capMs: 100_000, callMs: 60_000 });
    world.gitlab.script(path, { status: 500, json: {} }, "hang");
    const stopped = { code: "FR-FORGE-UNREACHABLE", message: expect.stringContaining("not done, because the service stops") };
    const pausing = expect(read(world)).rejects.toMatchObject(stopped);
    await vi.waitFor(() => expect(world.clock.waiting).toBe(2), { interval: 5 });
    await world.gitlab.untilSeen(1);
    const running = expect(read(world)).rejects.toMatchObject(stopped);
    await world.gitlab.untilSeen(2);
    const waiting = expect(read(world)).rejects.toMatchObject(stopped);
    await world.forge.stop();
    await Promise.all([pausing, running, waiting]);
    await expect(read(world)).rejects.toMatchObject(stopped);
    expect(world.clock.waiting).toBe(0);
    await world.forge.stop();
  });
});
