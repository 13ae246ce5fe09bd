import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { makePipeline, shortRef } from "../make-pipeline.js";
import { roles } from "../records/members.js";
import type { Project } from "../records/project.js";
import type { User } from "../records/user.js";
import { makesProjects, seesProject, standingInProject } from "../rest/abilities.js";
import { addProject } from "../rest/add-project.js";
import { maxPushBytes, type World } from "../world.js";
import { accessOf, type GitAccess } from "./git-access.js";
import { answerWithBackend, type GitService } from "./http-backend.js";
import { noCommit } from "./repositories.js";

/** One of the three requests of git's smart HTTP protocol. */
interface Wanted {
  readonly projectPath: string;
  readonly service: GitService;
  /** What follows the repository's own path. */
  readonly rest: "info/refs" | GitService;
  readonly query: string;
}

/** More branches than this in one push make no pipelines, as in GitLab. */
const maxPipelinesPerPush = 4;

/** `/<namespace>/<project>.git`: clone, fetch and push. A pushed branch or tag gets a pipeline before the push ends. */
export function gitRoutes(app: FastifyInstance, world: World): void {
  const pushes = new Map<number, Promise<void>>();

  // The bodies go to git as they come.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  app.route({ method: ["GET", "POST"], url: "/*", handler: answer });

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const wanted = wantedOf(request);
    if (wanted === undefined) return reply.code(404).send({ error: "404 Not Found" });
    const write = wanted.service === "git-receive-pack";
    const access = accessOf(world, request.headers.authorization);
    const maker = write && access.kind === "user" && access.write ? access.user : undefined;
    const project =
      world.projects.find(wanted.projectPath) ?? (maker === undefined ? undefined : await projectForPush(wanted.projectPath, maker));
    if (!allows(world, access, project, write)) {
      if (access.kind === "nobody") {
        const denied = reply.code(401).header("www-authenticate", 'Basic realm="GitLab"').type("text/plain");
        return denied.send("HTTP Basic: Access denied\n");
      }
      if (project !== undefined) return reply.code(403).type("text/plain").send("You are not allowed to do this to this project.\n");
    }
    if (project === undefined) {
      const text = "The project you were looking for could not be found or you don't have permission to view it.\n";
      return reply.code(404).type("text/plain").send(text);
    }
    reply.hijack();
    try {
      if (wanted.rest === "git-receive-pack") await inTurn(project.id, () => push(request, reply, wanted, project));
      else await relay(request, reply, wanted, project, async () => {});
    } catch {
      if (!reply.raw.headersSent) reply.raw.writeHead(503, { "content-type": "text/plain" });
      reply.raw.end();
    }
    return reply;
  }

  /** Pushing to a project that does not exist makes it, when its namespace exists. */
  async function projectForPush(path: string, user: User): Promise<Project | undefined> {
    const slash = path.lastIndexOf("/");
    const namespace = world.projects.findNamespace(path.slice(0, slash));
    if (namespace === undefined || /^\d+$/.test(path.slice(0, slash)) || !makesProjects(world, user, namespace)) return undefined;
    const name = path.slice(slash + 1);
    return addProject(world, { name, path: name, namespace_id: namespace.id, description: "", visibility: "private" });
  }

  /** One push at a time in each project: what it changed is seen by comparing the refs. */
  async function inTurn(projectId: number, work: () => Promise<void>): Promise<void> {
    const before = pushes.get(projectId) ?? Promise.resolve();
    const mine = before.then(work);
    const settled = mine.catch(() => {});
    pushes.set(projectId, settled);
    try {
      await mine;
    } finally {
      if (pushes.get(projectId) === settled) pushes.delete(projectId);
    }
  }

  async function push(request: FastifyRequest, reply: FastifyReply, wanted: Wanted, project: Project): Promise<void> {
    const before = await world.repositories.refs(project.id);
    await relay(request, reply, wanted, project, async () => {
      const after = await world.repositories.refs(project.id);
      const changed = [...after].filter(([ref, sha]) => before.get(ref) !== sha);
      await adoptDefaultBranch(project, [...after.keys()]);
      if (changed.length > maxPipelinesPerPush) return;
      for (const [ref, sha] of changed) {
        const current = world.projects.find(String(project.id));
        if (current === undefined) return;
        const beforeSha = before.get(ref) ?? noCommit;
        await makePipeline(world, { project: current, ref, sha, beforeSha, source: "push", variables: [] });
      }
    });
  }

  /** The first branch that is pushed becomes the default one; of several `main` or `master`. */
  async function adoptDefaultBranch(project: Project, refs: readonly string[]): Promise<void> {
    if (world.projects.find(String(project.id))?.defaultBranch !== undefined) return;
    const branches = refs.filter((ref) => ref.startsWith("refs/heads/")).map(shortRef);
    const branch = ["main", "master"].find((name) => branches.includes(name)) ?? branches[0];
    if (branch === undefined) return;
    await world.repositories.setDefaultBranch(project.id, branch);
    world.projects.setDefaultBranch(project.id, branch);
    // GitLab protects the default branch by itself.
    if (world.protectedRefs.find(project.id, "branches", branch) === undefined) world.protectedRefs.add(project.id, "branches", branch);
  }

  function relay(
    request: FastifyRequest,
    reply: FastifyReply,
    wanted: Wanted,
    project: Project,
    beforeEnd: () => Promise<void>,
  ): Promise<void> {
    const { repositories, git, clock } = world;
    return answerWithBackend(
      { git, clock, maxRequestBytes: maxPushBytes },
      {
        request: request.raw,
        response: reply.raw,
        root: repositories.root,
        path: `/${repositories.nameOf(project.id)}/${wanted.rest}`,
        query: wanted.query,
        user: "root",
      },
      beforeEnd,
    );
  }
}

function allows(world: World, access: GitAccess, project: Project | undefined, write: boolean): boolean {
  switch (access.kind) {
    case "user":
      if (project === undefined) return access.write || !write;
      if (write) return access.write && standingInProject(world, access.user, project) >= roles.developer;
      return seesProject(world, access.user, project);
    case "job":
      return !write && project?.id === access.projectId;
    case "nobody":
      return !write && project?.visibility === "public";
  }
}

function wantedOf(request: FastifyRequest): Wanted | undefined {
  const url = new URL(request.url, "http://local");
  const parts = /^\/(.+\/[^/]+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack)$/.exec(decoded(url.pathname));
  const [, projectPath = "", rest] = parts ?? [];
  if (rest === "info/refs" && request.method === "GET") {
    const service = url.searchParams.get("service");
    if (service !== "git-upload-pack" && service !== "git-receive-pack") return undefined;
    return { projectPath, service, rest, query: `service=${service}` };
  }
  if ((rest === "git-upload-pack" || rest === "git-receive-pack") && request.method === "POST") {
    return { projectPath, service: rest, rest, query: "" };
  }
  return undefined;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return "";
  }
}
