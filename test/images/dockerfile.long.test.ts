import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildRootfs } from "../../reconciler/images/build-rootfs.js";
import { describeImages } from "./images-world.fixture.js";

const images = fileURLToPath(new URL("../../images", import.meta.url));
/** Not the runner: whatever the pinned source gives is put in. */
const runner = "#!/bin/sh\nexit 0\n";
const sha256 = createHash("sha256").update(runner).digest("hex");
const date = "1793491200";

interface Engine {
  readonly name: string;
  /** Builds the Dockerfile from a base that is an archive, and gives the root file system as another. */
  build(base: string, args: readonly string[], archive: string): Promise<void>;
}

/** Runs a program beside this process, which serves it the runner, and gives what it wrote. */
const run = async (command: string, ...args: readonly string[]): Promise<string> =>
  (await promisify(execFile)(command, args, { maxBuffer: 64e6 })).stdout;

/** The engines that answer: a client alone builds nothing. */
function engines(folder: string): readonly Engine[] {
  const answers = (command: string, ...args: readonly string[]) => spawnSync(command, args, { stdio: "ignore" }).status === 0;
  const file = ["-f", join(images, "rootfs/Dockerfile")];
  const found: Engine[] = [];
  if (answers("buildah", "info")) {
    const storage = ["--root", join(folder, "root"), "--runroot", join(folder, "run"), "--storage-driver", "vfs"];
    const buildah = async (...args: readonly string[]) => (await run("buildah", ...storage, ...args)).trim();
    found.push({
      name: "buildah",
      async build(base, args, archive) {
        const scratch = await buildah("from", "scratch");
        await buildah("add", "--quiet", scratch, base, "/");
        await buildah("commit", "--quiet", scratch, "localhost/base");
        const how = ["--isolation", "chroot", "--network", "host", "--pull-never", "--format", "oci"];
        await buildah("build", ...how, ...args, "--build-arg", "BASE=localhost/base", ...file, "-t", "localhost/made", images);
        const made = await buildah("from", "--pull-never", "localhost/made");
        await run("tar", "-cf", archive, "-C", await buildah("mount", made), ".");
        await buildah("umount", made);
      },
    });
  }
  if (answers("docker", "info")) {
    found.push({
      name: "docker",
      async build(base, args, archive) {
        await run("docker", "import", base, "firerunner-test/base");
        const how = ["build", "--network", "host", ...args, "--build-arg", "BASE=firerunner-test/base"];
        await run("docker", ...how, ...file, "-t", "firerunner-test/made", images);
        const made = (await run("docker", "create", "firerunner-test/made", "true")).trim();
        await run("docker", "export", "-o", archive, made);
        await run("docker", "rm", made);
        await run("docker", "rmi", "firerunner-test/made", "firerunner-test/base");
      },
    });
  }
  return found;
}

/** What an engine, or a package's script, leaves in either that is nobody's content. */
const passing = [
  /^\.\/(dev|proc|sys|run|tmp|var\/cache|var\/log|var\/lib\/(apt|dpkg))\//,
  /^\.\/etc\/(hostname|hosts|resolv\.conf|machine-id|mtab|ld\.so\.cache|passwd-|group-|shadow-|gshadow-|subuid-|subgid-|\.pwd\.lock)$/,
  /^\.\/(|\.dockerenv|etc\/(apt|dpkg)\/.*)$/,
];

/** A line for each file: its mode, owner and path, and where it points. */
async function contents(archive: string): Promise<readonly string[]> {
  const listed = (await run("tar", "-tvf", archive, "--numeric-owner")).trimEnd().split("\n");
  const lines = listed.flatMap((line) => {
    const [, mode, owner, path = "", target = ""] = /^(\S+) (\S+) +\S+ \S+ \S+ (.*?)( -> .*| link to .*)?$/.exec(line) ?? [];
    return passing.some((pattern) => pattern.test(path))
      ? []
      : [`${mode?.[0] === "h" ? `-${mode.slice(1)}` : mode} ${owner} ${path}${target.startsWith(" ->") ? target : ""}`];
  });
  return [...new Set(lines)].toSorted();
}

describeImages("the Dockerfile", () => {
  const folder = mkdtempSync(join(tmpdir(), "firerunner-dockerfile-"));
  let server: Server;
  let url = "";
  beforeAll(async () => {
    server = createServer((_, answer) => answer.end(runner)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/gitlab-runner`;
  });
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const present = engines(folder);

  describe.skipIf(present.length === 0)("with an engine that answers", () => {
    it.each(present)("and $name makes a root file system of the same content as `firerunner image build shell`", async ({ build }) => {
      writeFileSync(join(folder, "gitlab-runner"), runner);
      const work = mkdtempSync(join(folder, "work-"));
      const gitlabRunner = { from: join(folder, "gitlab-runner"), sha256 };
      const { layer } = await buildRootfs({ flavour: "shell", work, gitlabRunner, say: () => undefined });
      // As debian:bookworm-slim, which leaves out the same files.
      const base = join(folder, "base.tar");
      const left = ["doc", "man", "info", "locale", "bug", "lintian", "linda"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
      await run("mmdebstrap", "--quiet", "--variant=minbase", ...left, "bookworm", base);
      const args = { GITLAB_RUNNER_URL: url, GITLAB_RUNNER_SHA256: sha256, SOURCE_DATE_EPOCH: date };
      const made = join(folder, "made.tar");
      await build(
        base,
        Object.entries(args).flatMap(([key, value]) => ["--build-arg", `${key}=${value}`]),
        made,
      );
      expect(await contents(made)).toEqual(await contents(layer));
      for (const path of ["./usr/lib/firerunner/built-at", "./usr/bin/gitlab-runner", "./etc/firerunner/job-user", "./etc/passwd"]) {
        expect(await run("tar", "-xOf", made, path)).toBe(await run("tar", "-xOf", layer, path));
      }
    });
  });

  it("refuses a runner that is not pinned, and a flavour that is not known", () => {
    const install = (env: Readonly<Record<string, string>>) =>
      spawnSync("/bin/sh", [join(images, "rootfs/install"), images, env.FLAVOUR ?? "shell"], {
        env: { PATH: "/nowhere", ...env },
        encoding: "utf8",
      });
    expect(install({}).stderr).toContain("GITLAB_RUNNER_URL and GITLAB_RUNNER_SHA256 are needed");
    expect(install({ FLAVOUR: "none" }).stderr).toContain('FLAVOUR: "none" is refused');
  });
});
