import { describe, expect, it, vi } from "vitest";
import { aJob, startWorld, type World } from "./gitlab-server.fixture.js";

const jobsPath = (projectId: number) => `/projects/${projectId}/jobs`;
const allScopes = "scope[]=pending&scope[]=running&scope[]=canceling&pagination=keyset&order_by=id&sort=desc&per_page=100";
const next = ({ gitlab }: World, path: string, query: string) => ({ link: `<${gitlab.url}/api/v4${path}?${query}>; rel="next"` });

describe("the active jobs of a project", () => {
  it("are read page by page, as the Link header leads", async () => {
    const world = await startWorld();
    const { gitlab, forge, connection } = world;
    const path = jobsPath(380);
    gitlab.script(
      `GET ${path}`,
      { json: [aJob({ id: 30 }), aJob({ id: 20 })], headers: next(world, path, `${allScopes}&id_before=20`) },
      { json: [aJob({ id: 10, status: "running" })] },
    );

    const { jobs, projectIds } = await forge.activeJobs(connection());
    expect(jobs.map(({ jobId, status }) => [jobId, status])).toEqual([
      [30, "pending"],
      [20, "pending"],
      [10, "running"],
    ]);
    expect(projectIds).toEqual([380]);
    expect(gitlab.seen.map(({ path: seen, query }) => [seen, query])).toEqual([
      [path, allScopes],
      [path, `${allScopes}&id_before=20`],
    ]);
  });

  it.each([
    [
      "a cursor",
      { link: '<https://elsewhere.example.com/api/v4/x?cursor=eyJpZCI6IjIwIn0&per_page=100>; rel="next"' },
      "cursor=eyJpZCI6IjIwIn0",
    ],
    ["a page number", { "x-next-page": "2" }, "page=2"],
  ])("are followed by %s as well, always at the same server", async (_name, headers, expected) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${jobsPath(380)}`, { json: [aJob({ id: 30 })], headers }, { json: [], headers: { "x-next-page": "" } });
    expect((await forge.activeJobs(connection())).jobs).toHaveLength(1);
    expect(gitlab.seen.map(({ query }) => query)).toEqual([allScopes, `${allScopes}&${expected}`]);
  });

  it("do not name their project as read to its end when there are more pages than are read", async () => {
    const world = await startWorld({ jobPages: 2 });
    const page = (before: number) => ({ json: [aJob({ id: before + 1 })], headers: next(world, jobsPath(380), `id_before=${before}`) });
    world.gitlab.script(`GET ${jobsPath(380)}`, page(30), page(20), page(10));
    const { jobs, projectIds, unread } = await world.forge.activeJobs(world.connection());
    expect(jobs).toHaveLength(2);
    expect(projectIds).toEqual([]);
    expect(unread).toEqual([{ projectId: 380, why: "the newest of more than 200 are read" }]);
    expect(world.gitlab.seen).toHaveLength(2);
  });

  it.each([
    ["a link without a place to go on from", { link: '<https://gitlab.example.com/api/v4/x?offset=7>; rel="next"' }],
    ["a page that is no number", { "x-next-page": "two" }],
  ])("are not taken for all there are at %s", async (_name, headers) => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${jobsPath(380)}`, { json: [aJob()], headers });
    expect(await forge.activeJobs(connection())).toMatchObject({ jobs: [{ jobId: 41_977 }], projectIds: [] });
  });

  it("end where a server leads in a circle", async () => {
    const world = await startWorld();
    world.gitlab.script(`GET ${jobsPath(380)}`, { json: [], headers: next(world, jobsPath(380), "id_before=30") });
    expect((await world.forge.activeJobs(world.connection())).projectIds).toEqual([]);
    expect(world.gitlab.seen).toHaveLength(2);
  });

  it("are read from a GitLab that knows no canceling jobs", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${jobsPath(380)}`, { status: 400, json: { error: "scope does not have a valid value" } }, { json: [aJob()] });
    expect((await forge.activeJobs(connection())).projectIds).toEqual([380]);
    expect(gitlab.seen[1]?.query).toBe(allScopes.replace("&scope[]=canceling", ""));
  });

  it("are unknown when one of them cannot be read", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${jobsPath(380)}`, { json: [aJob(), { id: 1 }] });
    await expect(forge.activeJobs(connection())).rejects.toMatchObject({ code: "FR-FORGE-REJECTED" });
    gitlab.script(`GET ${jobsPath(380)}`, { json: { jobs: [] } });
    await expect(forge.activeJobs(connection())).rejects.toMatchObject({ message: expect.stringContaining("a list was expected") });
  });

  it("are none for a project that was asked for by name and is not known, but its own project must be known", async () => {
    const { gitlab, forge, connection } = await startWorld();
    gitlab.script(`GET ${jobsPath(380)}`, { status: 404, json: { message: "404 Project Not Found" } });
    expect(await forge.activeJobs(connection({ groupId: 5 }), 380)).toEqual({ jobs: [], projectIds: [380], unread: [] });
    await expect(forge.activeJobs(connection())).rejects.toMatchObject({
      code: "FR-FORGE-NOT-FOUND",
      message: expect.stringContaining("404 Project Not Found; it does not exist, or the token may not see it"),
    });
  });
});

describe("the active jobs of a group or an instance", () => {
  const withProjects = (world: World, call: string, ids: readonly number[]) => {
    world.gitlab.script(call, { json: ids.map((id) => ({ id, name: `p${id}` })) });
    for (const id of ids) world.gitlab.script(`GET ${jobsPath(id)}`, { json: [aJob({ id: id * 10 })] });
  };
  const asked = (world: World) => world.gitlab.seen.map(({ path }) => path);

  it("are read project by project, and the projects are found once in a while", async () => {
    const world = await startWorld();
    withProjects(world, "GET /groups/5/projects", [1, 2, 3]);
    const read = () => world.forge.activeJobs(world.connection({ groupId: 5 }));

    const { jobs, projectIds } = await read();
    expect(jobs.map(({ projectId, jobId }) => [projectId, jobId])).toEqual(
      expect.arrayContaining([
        [1, 10],
        [2, 20],
        [3, 30],
      ]),
    );
    expect([...projectIds].sort()).toEqual([1, 2, 3]);
    expect(world.gitlab.seen[0]?.query).toBe(
      "archived=false&simple=true&order_by=last_activity_at&sort=desc&include_subgroups=true&with_shared=false&per_page=100",
    );
    await read();
    expect(asked(world).filter((path) => path === "/groups/5/projects")).toHaveLength(1);
    await world.clock.advance(300_000);
    await read();
    expect(asked(world).filter((path) => path === "/groups/5/projects")).toHaveLength(2);
  });

  it("are those of all projects for an instance", async () => {
    const world = await startWorld();
    withProjects(world, "GET /projects", [8]);
    expect(await world.forge.activeJobs(world.connection({ instance: true }))).toMatchObject({ projectIds: [8] });
    expect(world.gitlab.seen[0]?.query).toBe("archived=false&simple=true&order_by=last_activity_at&sort=desc&per_page=100");
  });

  it("are read in turns where there are more projects than one call reads", async () => {
    const world = await startWorld({ projectsPerCall: 2 });
    withProjects(world, "GET /groups/5/projects", [1, 2, 3]);
    const turn = async () => {
      await world.clock.advance(1);
      return [...(await world.forge.activeJobs(world.connection({ groupId: 5 }))).projectIds].sort();
    };
    expect([await turn(), await turn(), await turn()]).toEqual([
      [1, 2],
      [1, 3],
      [1, 2],
    ]);
  });

  it("are read at once of a project that a webhook told of, without finding all of them anew", async () => {
    const world = await startWorld();
    withProjects(world, "GET /groups/5/projects", [1, 2]);
    const group = world.connection({ groupId: 5 });
    await world.forge.activeJobs(group);
    world.gitlab.script(`GET ${jobsPath(3)}`, { json: [] });
    world.gitlab.script("GET /projects/3/jobs/30", { json: aJob({ id: 30 }) });
    await world.forge.readJob(group, 3, 30);
    expect([...(await world.forge.activeJobs(group)).projectIds].sort()).toEqual([1, 2, 3]);
    expect(asked(world).filter((path) => path === "/groups/5/projects")).toHaveLength(1);
  });

  it("leave out a project that the token may not read, say so, and name only those that were read", async () => {
    const world = await startWorld();
    withProjects(world, "GET /groups/5/projects", [1, 2]);
    world.gitlab.script(`GET ${jobsPath(1)}`, { status: 403, json: { message: "403 Forbidden" } });
    const { jobs, projectIds, unread } = await world.forge.activeJobs(world.connection({ groupId: 5 }));
    expect(projectIds).toEqual([2]);
    expect(jobs).toHaveLength(1);
    const why = "GitLab answered 403: its CI/CD is off, or the token may not read its jobs";
    expect(unread).toEqual([{ projectId: 1, why }]);
    expect(await world.forge.activeJobs(world.connection({ groupId: 5 }), 1)).toEqual({ jobs: [], projectIds: [], unread });
  });

  it("fail when no project can be read", async () => {
    const world = await startWorld();
    withProjects(world, "GET /groups/5/projects", [1, 2]);
    for (const id of [1, 2]) world.gitlab.script(`GET ${jobsPath(id)}`, { status: 403, json: { message: "403 Forbidden" } });
    await expect(world.forge.activeJobs(world.connection({ groupId: 5 }))).rejects.toMatchObject({ code: "FR-FORGE-UNAUTHORIZED" });
  });

  it("ask no further when the forge refuses all alike, and keep what was read", async () => {
    const world = await startWorld({ projectsAtOnce: 1 });
    withProjects(world, "GET /groups/5/projects", [1, 2, 3]);
    world.gitlab.script(`GET ${jobsPath(2)}`, { status: 429, json: {}, headers: { "retry-after": "90" } });
    expect((await world.forge.activeJobs(world.connection({ groupId: 5 }))).projectIds).toEqual([1]);
    expect(asked(world)).not.toContain(jobsPath(3));
    await world.clock.advance(90_000);
    world.gitlab.script(`GET ${jobsPath(2)}`, { json: [] });
    expect((await world.forge.activeJobs(world.connection({ groupId: 5 }))).projectIds[0]).toBe(3);
  });

  it("are unknown when listing the projects took all the time", async () => {
    const world = await startWorld({ longCallMs: 15_000 });
    world.gitlab.script("GET /groups/5/projects", async () => {
      await world.clock.advance(6_000);
      return { json: [{ id: 1 }] };
    });
    await expect(world.forge.activeJobs(world.connection({ groupId: 5 }))).rejects.toMatchObject({
      code: "FR-FORGE-UNREACHABLE",
      retryable: true,
      message: expect.stringContaining("no time was left for their jobs"),
    });
  });

  it("keep what was read when the time runs out", async () => {
    const world = await startWorld({ projectsAtOnce: 2 });
    withProjects(world, "GET /groups/5/projects", [1, 2, 3]);
    world.gitlab.script(`GET ${jobsPath(2)}`, "hang");
    const reading = world.forge.activeJobs(world.connection({ groupId: 5 }));
    for (const requests of [4, 5, 6]) {
      await world.gitlab.untilSeen(requests);
      // The call's deadline and that of the request that hangs: all others were answered.
      await vi.waitFor(() => expect(world.clock.waiting).toBe(2), { interval: 5 });
      await world.clock.advance(10_000);
    }
    expect([...(await reading).projectIds].sort()).toEqual([1, 3]);
  });
});
