import { execFile, spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Child, endOf, root, startChild } from "../e2e/child.fixture.js";
import { freePorts } from "../e2e/free-ports.fixture.js";
import { until } from "../e2e/until.fixture.js";

const run = promisify(execFile);
/** As root, with what builds without a daemon and without a registry of images. */
const canBuild = process.getuid?.() === 0 && ["buildah", "mmdebstrap"].every((tool) => spawnSync(tool, ["--version"]).status === 0);

/** Images and containers in a directory of their own, which needs no privileges beyond a chroot. */
function buildahIn(directory: string): readonly string[] {
  return ["--storage-driver", "vfs", "--root", join(directory, "root"), "--runroot", join(directory, "run")];
}

describe.skipIf(!canBuild)("the container recipe (as root, with buildah and mmdebstrap: `npm run setup` installs them)", () => {
  const directory = mkdtempSync(join(tmpdir(), "firerunner-container-"));
  const buildah = buildahIn(directory);
  const ends: (() => Promise<void>)[] = [];
  const build = (...args: readonly string[]) =>
    run("buildah", [...buildah, "build", "--isolation", "chroot", "--network", "host", ...args], { timeout: 900_000 });
  beforeAll(() => makeBase(directory, build), 1_200_000);
  afterAll(async () => {
    for (const end of ends.splice(0)) await end();
    rmSync(directory, { recursive: true, force: true });
  });

  it("makes an image that serves as an ordinary user, is healthy, and ends well when it is told to", async () => {
    const context = join(directory, "context");
    mkdirSync(context);
    await run("npm", ["pack", "--pack-destination", context], { cwd: root, timeout: 300_000 });
    const npmrc = join(directory, "npmrc");
    const ca = process.env.NODE_EXTRA_CA_CERTS;
    writeFileSync(npmrc, `registry=${(await run("npm", ["config", "get", "registry"])).stdout}${ca === undefined ? "" : `cafile=${ca}\n`}`);
    const mounts = ["--volume", `${npmrc}:/root/.npmrc:ro`, ...(ca === undefined ? [] : ["--volume", `${dirname(ca)}:${dirname(ca)}:ro`])];
    const recipe = join(root, "deploy/container/Containerfile");
    await build(...mounts, "--build-arg", "BASE=localhost/base", "--file", recipe, "--tag", "localhost/firerunner", context);

    const [publicPort, guestPort, adminPort] = await freePorts(3);
    const service = join(directory, "firerunner.yaml");
    const listeners = Object.entries({ public: publicPort, guest: guestPort, admin: adminPort }).map(([name, port]) => [
      name,
      { listen: `127.0.0.1:${port}` },
    ]);
    const input = { owner: "boxed", stateDir: "/var/lib/firerunner", store: { kind: "memory" }, listeners: Object.fromEntries(listeners) };
    writeFileSync(service, JSON.stringify(input));
    const made = await run("buildah", [...buildah, "from", "localhost/firerunner"]);
    const started = startChild(
      [
        ...["buildah", ...buildah, "run", "--isolation", "chroot", "--network", "host"],
        ...["--volume", `${service}:/etc/firerunner/firerunner.yaml:ro`, made.stdout.trim(), "--"],
        ...["firerunner", "serve", "--config", "/etc/firerunner/firerunner.yaml"],
      ],
      { cwd: directory, env: { PATH: process.env.PATH ?? "" } },
    );
    ends.push(() => started.stop());
    await until("it is healthy", async () => (await fetch(`http://127.0.0.1:${adminPort}/health`).catch(() => undefined))?.ok === true);
    const served = serving();
    expect(served.uid).toBe(10_001);
    process.kill(served.pid, "SIGTERM");
    await expectEnd(started);
  }, 1_500_000);
});

async function expectEnd(started: Child): Promise<void> {
  expect([await endOf(started), started.output()]).toEqual([0, expect.stringContaining('"message":"stopped"')]);
}

/** A base image as the recipe expects one, made of Debian's packages and this machine's Node.js. */
async function makeBase(directory: string, build: (...args: readonly string[]) => Promise<unknown>): Promise<void> {
  const context = join(directory, "base");
  mkdirSync(context);
  const packages = "--include=ca-certificates,libstdc++6,libatomic1";
  await run("mmdebstrap", ["--variant=minbase", packages, "bookworm", join(context, "base.tar")], { timeout: 900_000 });
  copyFileSync(process.execPath, join(context, "node"));
  const modules = (await run("npm", ["root", "--global"])).stdout.trim();
  cpSync(join(modules, "npm"), join(context, "npm"), { recursive: true });
  const lines = [
    "FROM scratch",
    "ADD base.tar /",
    "COPY --chmod=755 node /usr/local/bin/node",
    "COPY npm /usr/local/lib/node_modules/npm",
    "RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm",
  ];
  writeFileSync(join(context, "Containerfile"), `${lines.join("\n")}\n`);
  await build("--tag", "localhost/base", context);
}

/** The process of the service in the container, and whose it is. */
function serving(): { readonly pid: number; readonly uid: number } {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const found = look(pid);
    if (found?.command.startsWith("node /opt/firerunner/bin/firerunner serve") === true) return { pid: Number(pid), uid: found.uid };
  }
  throw new Error("no process serves in the container");
}

function look(pid: string): { readonly command: string; readonly uid: number } | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    const uid = Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
    return { command, uid };
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}
