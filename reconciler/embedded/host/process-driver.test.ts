import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startGuestListener } from "../../../images/agent/guest-listener.fixture.js";
import { MicroVMSpecSchema } from "../../../proto/gen/types/microvm_pb.js";
import { until } from "../../model/until.fixture.js";
import type { VmRequest } from "./driver.js";
import { isAlive, type TestFolder, testFolder } from "./guest.fixture.js";
import { markVariable } from "./marked-processes.js";
import { createProcessDriver, type ProcessDriver, type ProcessDriverOptions } from "./process-driver.js";
import { seededRandom } from "./seeded-random.js";

const uid = "01JNKXRA9M9JKXFW6MBPMR2APT";

let folder: TestFolder;
const drivers: ProcessDriver[] = [];
const strangers: ChildProcess[] = [];

beforeEach(() => {
  folder = testFolder();
});

afterEach(async () => {
  for (const driver of drivers.splice(0)) await driver.stop();
  for (const stranger of strangers.splice(0)) stranger.kill("SIGKILL");
  folder.remove();
});

async function start(options: Partial<ProcessDriverOptions>): Promise<ProcessDriver> {
  const driver = createProcessDriver({ directory: join(folder.path, "host"), random: seededRandom(), ...options });
  drivers.push(driver);
  await driver.start();
  return driver;
}

/** A driver whose agent is a script; the script finds the test's folder in `$1`. */
function startWith(script: string): Promise<ProcessDriver> {
  return start({ programs: { agent: [...folder.script("agent", script), folder.path] } });
}

function vm(metadata: Readonly<Record<string, string>> = { "firerunner-boot": "v=1\n" }): VmRequest {
  return { uid, spec: create(MicroVMSpecSchema, { uid, id: "vm-a" }), metadata };
}

const pidIn = (name: string): number => Number.parseInt(folder.read(name), 10);

/** A program that leaves its group and its parent, as a daemon does, and notes its process id. */
function daemon(note: string, env = ""): string {
  const child = `require("fs").writeFileSync(${JSON.stringify(note)}, String(process.pid)); setInterval(() => {}, 1000)`;
  const parent = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { detached: true, stdio: "ignore" }).unref()`;
  return `${env} '${process.execPath}' -e '${parent}'`;
}

describe("a process VM", () => {
  it("finds its boot data in a file that nobody else may read, and an environment of its own", async () => {
    process.env.FR_TEST_SECRET = "s3cret";
    const driver = await startWith('cat "$FIRERUNNER_BOOT_FILE" >"$1/boot-seen"\nenv >"$1/env.new"\nmv "$1/env.new" "$1/env"\nsleep 60');
    await driver.create(vm({ "firerunner-boot": "v=1\nvm=vm-a\n", other: "x" }));
    delete process.env.FR_TEST_SECRET;
    await until(() => folder.read("env") !== "", "the environment");
    const root = join(folder.path, "host", uid);
    expect(folder.read("boot-seen")).toBe("v=1\nvm=vm-a\n");
    expect(statSync(join(root, "boot")).mode & 0o777).toBe(0o600);
    expect(statSync(root).mode & 0o777).toBe(0o700);
    const env = Object.fromEntries(
      folder
        .read("env")
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    expect(
      Object.keys(env)
        .toSorted()
        .filter((name) => !["", "PWD", "_", "SHLVL", "OLDPWD"].includes(name)),
    ).toEqual([
      "FIRERUNNER_BOOT_FILE",
      "FIRERUNNER_BOOT_ID",
      markVariable,
      "FIRERUNNER_RETRY_S",
      "FIRERUNNER_STATE_DIR",
      "HOME",
      "LANG",
      "PATH",
      "TMPDIR",
    ]);
    expect(env.PATH).toBe(`${root}/bin:${process.env.PATH}`);
    expect([env.HOME, env.TMPDIR, env.FIRERUNNER_STATE_DIR]).toEqual([`${root}/home`, `${root}/tmp`, `${root}/state`]);
    expect(env.FIRERUNNER_BOOT_ID).toMatch(/^[0-9a-f]{32}$/);
  });

  it("ends with everything it started, daemons too, and its directory goes, read-only parts included", async () => {
    const driver = await startWith(
      `mkdir "$HOME/locked" && touch "$HOME/locked/file" && chmod 500 "$HOME/locked"\nsleep 600 & echo $! >"$1/child"\n${daemon(`${folder.path}/daemon`)}\n${daemon(`${folder.path}/scrubbed`, 'env -i PATH="$PATH"')}\necho $$ >"$1/leader"\nwait`,
    );
    await driver.create(vm());
    await until(() => ["daemon", "scrubbed", "leader"].every((name) => folder.read(name) !== ""), "all processes");
    const pids = ["leader", "child", "daemon", "scrubbed"].map(pidIn);
    expect(pids.map(isAlive)).toEqual([true, true, true, true]);
    expect(driver.isRunning(uid)).toBe(true);
    await driver.destroy(uid);
    expect(pids.map(isAlive)).toEqual([false, false, false, false]);
    expect(driver.isRunning(uid)).toBe(false);
    expect(existsSync(join(folder.path, "host", uid))).toBe(false);
  });

  it("loses its power with everything it started, keeps its disk, and boots again", async () => {
    const driver = await startWith(
      `touch "$FIRERUNNER_STATE_DIR/disk"\n${daemon(`${folder.path}/daemon`)}\necho $$ >>"$1/leaders"\nwhile :; do sleep 60; done`,
    );
    const leaders = () => folder.read("leaders").trim().split("\n").filter(Boolean).map(Number);
    await driver.create(vm());
    await until(() => leaders().length === 1 && folder.read("daemon") !== "", "all processes");
    const pids = [...leaders(), pidIn("daemon")];
    await driver.powerOff(uid);
    expect(pids.map(isAlive)).toEqual([false, false]);
    expect(driver.isRunning(uid)).toBe(false);
    await driver.powerOff(uid);
    await driver.create(vm());
    await until(() => leaders().length === 2, "the second boot");
    expect(existsSync(join(folder.path, "host", uid, "state/disk"))).toBe(true);
    expect(driver.isRunning(uid)).toBe(true);
  });

  it("is off once it powered itself off, daemons and all, and boots again with its disk and another boot id", async () => {
    const driver = await startWith(
      `echo "$FIRERUNNER_BOOT_ID" >>"$1/boots"\ntouch "$FIRERUNNER_STATE_DIR/disk"\nif [ -e "$1/daemon" ]; then sleep 600; fi\n${daemon(`${folder.path}/daemon`)}\nwhile [ ! -s "$1/daemon" ]; do sleep 0.02; done\nfr-poweroff\necho still >"$1/still"`,
    );
    await driver.create(vm());
    await until(() => !driver.isRunning(uid), "the end of the VM");
    await until(() => !isAlive(pidIn("daemon")), "the end of the daemon");
    expect(folder.read("still")).toBe("");
    expect(existsSync(join(folder.path, "host", uid, "state/disk"))).toBe(true);
    await driver.create(vm());
    await until(() => folder.read("boots").trim().split("\n").length === 2, "the second boot");
    expect(driver.isRunning(uid)).toBe(true);
    const boots = folder.read("boots").trim().split("\n");
    expect(new Set(boots).size).toBe(2);
  });

  it("is not started twice", async () => {
    const driver = await startWith('echo boot >>"$1/boots"\nsleep 600');
    await driver.create(vm());
    await driver.create(vm());
    await until(() => folder.read("boots") !== "", "the boot");
    await driver.destroy(uid);
    expect(folder.read("boots")).toBe("boot\n");
  });

  it("cannot be started when its program is missing, and can be removed then", async () => {
    const driver = await start({ programs: { agent: ["fr-no-such-program"] } });
    await expect(driver.create(vm())).rejects.toThrow("fr-no-such-program");
    expect(driver.isRunning(uid)).toBe(false);
    await driver.destroy(uid);
    expect(existsSync(join(folder.path, "host", uid))).toBe(false);
  });

  it("without boot data boots all the same, as a real one does", async () => {
    const driver = await startWith('wc -c <"$FIRERUNNER_BOOT_FILE" >"$1/size"\nsleep 600');
    await driver.create(vm({}));
    await until(() => folder.read("size") !== "", "the boot");
    expect(pidIn("size")).toBe(0);
  });
});

describe("a process driver", () => {
  it("says that it isolates nothing", async () => {
    expect((await startWith("true")).notice).toContain("isolates nothing");
  });

  it("refuses a uid that is no ULID, and has nothing to destroy of one that it does not know", async () => {
    const driver = await startWith("true");
    await expect(driver.create({ ...vm(), uid: "../escape" })).rejects.toMatchObject({ code: "FR-INVALID" });
    await driver.destroy("../escape");
    await driver.destroy(uid);
  });

  it("says which directory it cannot use", async () => {
    writeFileSync(join(folder.path, "file"), "");
    const directory = join(folder.path, "file", "host");
    const starting = createProcessDriver({ directory, random: seededRandom() }).start();
    await expect(starting).rejects.toMatchObject({ code: "FR-CONFIG", message: expect.stringContaining(directory) });
  });

  it("ends and removes every VM at its stop, and makes none afterwards", async () => {
    const driver = await startWith('echo $$ >"$1/leader"\nsleep 600');
    await driver.create(vm());
    await until(() => folder.read("leader") !== "", "the boot");
    await driver.stop();
    expect(isAlive(pidIn("leader"))).toBe(false);
    expect(existsSync(join(folder.path, "host", uid))).toBe(false);
    await expect(driver.create(vm())).rejects.toThrow("stopped");
  });

  it("ends and removes what an earlier host with this directory left, and touches nothing else", async () => {
    const host = join(folder.path, "host");
    mkdirSync(host);
    const left = (mark: string | undefined) => {
      const env = { PATH: process.env.PATH, ...(mark === undefined ? {} : { [markVariable]: mark }) };
      const stranger = spawn("sleep", ["600"], { detached: true, stdio: "ignore", env });
      strangers.push(stranger);
      return once(stranger, "spawn").then(() => stranger);
    };
    const [leftover, unmarked, ofAnother] = await Promise.all([
      left(join(host, uid)),
      left(undefined),
      left(join(folder.path, "host2", uid)),
    ]);
    mkdirSync(join(host, uid));
    writeFileSync(join(host, "notes"), "of a person");
    await startWith("true");
    await until(() => leftover.signalCode !== null, "the end of the leftover");
    expect(existsSync(join(host, uid))).toBe(false);
    expect(readFileSync(join(host, "notes"), "utf8")).toBe("of a person");
    for (const other of [unmarked, ofAnother]) expect(isAlive(other.pid ?? 0)).toBe(true);
  });
});

describe("the real guest agent in a process VM", () => {
  it("claims, runs its runner, tells the end and powers off", async () => {
    const reconciler = await startGuestListener();
    try {
      const runner = folder.script(
        "runner",
        `printf '%s\\n' "$@" >'${folder.path}/argv'
while [ "$1" != --token-file ]; do shift; done
cat "$2" >'${folder.path}/token'
echo "Starting runner for https://gitlab.test"
echo "Checking for jobs... received"
while [ -e "$2" ]; do sleep 0.02; done`,
      );
      const driver = await start({ programs: { runner } });
      await driver.create(vm({ "firerunner-boot": `v=1\nvm=vm-a\nnonce=${"ab".repeat(32)}\nurl=${reconciler.url}\nca=\n` }));
      await reconciler.until(() => reconciler.of("done").length > 0, "the end of the job");
      await until(() => !driver.isRunning(uid), "the end of the VM");
      expect(reconciler.of("claim")[0]?.body).toContain("vm=vm-a\n");
      expect(folder.read("token").trim()).toBe("glrt-token-of-the-test");
      const root = join(folder.path, "host", uid);
      const argv = folder.read("argv").trim().split("\n");
      expect(argv.slice(0, 2)).toEqual(["--url", "https://gitlab.test"]);
      expect(argv).toContain("--builds-dir");
      expect(argv[argv.indexOf("--builds-dir") + 1]).toBe(`${root}/state/builds`);
      expect(reconciler.of("done")[0]?.body).toContain("reason=finished");
    } finally {
      await reconciler.stop();
    }
  });
});
