import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { until } from "../../reconciler/model/until.fixture.js";
import { bootText } from "./agent.fixture.js";
import { fields, quickHeartbeats, useAgentWorld } from "./agent-world.fixture.js";

const world = useAgentWorld();

describe("an end", () => {
  test("is said at most three times", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen((call) => (call === "done" ? { status: 500 } : undefined));
    await start(reconciler).ended;
    expect(reconciler.of("done")).toHaveLength(3);
    expect(machine.read("poweroff")).toBe("off\n");
  });

  test("by a signal lets the runner stop its job and still powers off", async () => {
    const { machine, listen, start, hold } = world();
    const reconciler = await listen();
    hold();
    const agent = start(reconciler);
    await until(() => machine.read("runner-started") !== "", "the runner's job");
    agent.process.kill("SIGTERM");
    await agent.ended;
    expect(machine.read("runner-told")).toBe("told\n");
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({ exit_code: "143", reason: "failed" });
    expect(machine.read("poweroff")).toBe("off\n");
  });

  test("by the service lets the runner tell GitLab, and comes as soon as it has", async () => {
    const { machine, listen, start, hold } = world();
    const reconciler = await listen((call, request) => {
      const isHeard = call === "heartbeat" && request.body.includes("state=running") && machine.read("runner-started") !== "";
      return isHeard ? { status: 200, body: "action=terminate\n" } : undefined;
    });
    hold();
    const agent = start(reconciler, quickHeartbeats);
    await agent.ended;
    expect(agent.stderr()).toContain("told to end the runner");
    expect(machine.read("runner-told")).toBe("told\n");
    expect(fields(reconciler.of("done")[0]?.body)).toMatchObject({ exit_code: "143", reason: "failed" });
    expect(machine.read("poweroff")).toBe("off\n");
  });

  test("by a signal while parked does not wait for the long poll", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen((call) => {
      if (call === "claim") return { status: 200, body: "action=park\n" };
      return call === "next" ? "hang" : undefined;
    });
    const agent = start(reconciler);
    await reconciler.until(() => reconciler.of("next").length === 1, "the long poll");
    agent.process.kill("SIGTERM");
    await agent.ended;
    expect(machine.read("poweroff")).toBe("off\n");
  });

  test("by a signal kills a runner that does not listen", async () => {
    const { machine, listen, start } = world();
    machine.addCommand("fr-runner", "trap '' TERM\necho 'Starting runner for x'\nwhile :; do sleep 0.05; done");
    const reconciler = await listen();
    const agent = start(reconciler, { FIRERUNNER_STOP_S: "1" });
    await reconciler.until(() => reconciler.of("heartbeat").some(({ body }) => body.includes("state=started")), "state=started");
    agent.process.kill("SIGTERM");
    await agent.ended;
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({ exit_code: "137", reason: "failed" });
    expect(machine.read("poweroff")).toBe("off\n");
  });

  test("comes even when the boot data is of no use", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen();
    const bootFile = join(machine.directory, "other-boot");
    writeFileSync(bootFile, "v=2\n");
    await start(reconciler, { FIRERUNNER_BOOT_FILE: bootFile }).ended;
    expect(reconciler.requests).toHaveLength(0);
    expect(machine.read("poweroff")).toBe("off\n");
  });

  test("comes when gitlab-runner finds its token gone, which it would wait out for ever", async () => {
    const { machine, listen, start } = world();
    machine.addCommand(
      "gitlab-runner",
      'trap \'exit 0\' TERM\necho \'{"msg":"Starting runner for x"}\'\necho \'{"msg":"Checking for jobs... forbidden"}\'\nwhile :; do sleep 0.05; done',
    );
    const reconciler = await listen();
    await start(reconciler).ended;
    expect(reconciler.of("log")[0]?.body).toContain("forbidden");
    expect(reconciler.of("done").map(({ body }) => fields(body))).toMatchObject([{ why: "GitLab refused the runner's token" }]);
  });

  test("comes, with the reason, when a runner outlives its wait without a job", async () => {
    const { machine, listen, start } = world();
    machine.addCommand("fr-runner", "trap '' TERM\necho 'Starting runner for x'\nwhile :; do sleep 0.05; done");
    const reconciler = await listen();
    await start(reconciler, { FIRERUNNER_JOB_WAIT_S: "0", FIRERUNNER_JOB_GRACE_S: "0", FIRERUNNER_STOP_S: "0.2" }).ended;
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({
      exit_code: "137",
      reason: "failed",
      why: "the runner took no job in 0 s and did not end by itself",
    });
    expect(machine.read("poweroff")).toBe("off\n");
  });

  test("does not come over a job, whatever the runner's log says of it", async () => {
    const { machine, listen, start } = world();
    mkdirSync(join(machine.stateDir, "builds/project"), { recursive: true });
    machine.addCommand("fr-runner", "echo 'Starting runner for x'\nsleep 0.5");
    const reconciler = await listen();
    await start(reconciler, { FIRERUNNER_JOB_WAIT_S: "0", FIRERUNNER_JOB_GRACE_S: "0" }).ended;
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({ exit_code: "0", reason: "finished" });
  });

  test("comes with the least version when gitlab-runner is too old", async () => {
    const { machine, listen, start } = world();
    machine.addCommand("gitlab-runner", "echo 'Incorrect Usage: flag provided but not defined: -r'\nexit 1");
    const reconciler = await listen();
    await start(reconciler).ended;
    expect(fields(reconciler.of("done")[0]?.body).why).toMatch(/^gitlab-runner is older than 17\.1/);
  });

  test.each([
    ["the development runner, which has shell only", false, "the pool wants executor docker: the development runner has shell only"],
    ["a guest without an engine", true, "the pool wants executor docker: the guest has no engine at /nowhere.sock"],
  ])("comes before a job when the pool wants docker of %s", async (_what, hasRunner, why) => {
    const { machine, listen, start } = world();
    if (hasRunner) machine.addCommand("gitlab-runner", "exit 0");
    const body = '[[runners]]\n  name = "fr-small-1"\n  url = "https://gitlab.test"\n  token = "t"\n  executor = "docker"\n';
    const reconciler = await listen((call) => (call === "config" ? { status: 200, body } : undefined));
    await start(reconciler, { FIRERUNNER_DOCKER_SOCKET: "/nowhere.sock", FIRERUNNER_DOCKER_WAIT_S: "0" }).ended;
    expect(machine.read("argv")).toBe("");
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({ exit_code: "1", reason: "refused", why });
  });
});

describe("an agent that is started again", () => {
  test("within one boot claims with the same secret, after another boot with a new one", async () => {
    const { listen, start } = world();
    const reconciler = await listen((call) => (call === "claim" ? { status: 403 } : undefined));
    await start(reconciler).ended;
    await start(reconciler).ended;
    await start(reconciler, { FIRERUNNER_BOOT_ID: "boot-2" }).ended;
    const secrets = reconciler.of("claim").map(({ body }) => fields(body).secret_sha256);
    expect(secrets[1]).toBe(secrets[0]);
    expect(secrets[2]).not.toBe(secrets[0]);
  });

  test("waits with the runner that is still there and starts no second one", async () => {
    const { machine, listen, start, hold, letRunnerEnd } = world();
    const reconciler = await listen();
    hold();
    const first = start(reconciler, quickHeartbeats);
    await reconciler.until(() => reconciler.of("heartbeat").some(({ body }) => body.includes("state=running")), "state=running");
    first.process.kill("SIGKILL");
    await first.ended;
    rmSync(join(machine.directory, "argv"));
    const second = start(reconciler, quickHeartbeats);
    const before = reconciler.of("heartbeat").length;
    await until(() => second.stderr().includes("waiting for the runner"), "the second agent");
    await reconciler.until(() => reconciler.of("heartbeat").length > before + 2, "more heartbeats");
    letRunnerEnd();
    await second.ended;
    expect(reconciler.of("claim")).toHaveLength(1);
    expect(machine.read("argv")).toBe("");
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({ exit_code: "0", reason: "finished" });
    expect(machine.read("poweroff")).toBe("off\n");
  });

  test.skipIf(!existsSync("/proc/self/stat"))("is not held alive by what an agent before it left behind", async () => {
    const { listen, start } = world();
    const reconciler = await listen((call) => {
      if (call === "claim") return { status: 200, body: "action=park\n" };
      return call === "next" ? "hang" : undefined;
    });
    const agent = start(reconciler, quickHeartbeats);
    await reconciler.until(() => reconciler.of("heartbeat").length > 1 && reconciler.of("next").length > 0, "a parked agent");
    agent.process.kill("SIGKILL");
    await agent.ended;
    // Cuts off what waits for an answer, so that only who goes on by itself is left.
    await reconciler.stop();
    await until(() => livingInGroup(agent.process.pid ?? 0) === 0, "the end of the heartbeats");
  });

  test("after its end only powers off", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen();
    await start(reconciler).ended;
    const before = reconciler.requests.length;
    await start(reconciler).ended;
    expect(reconciler.requests.slice(before)).toEqual([]);
    expect(machine.read("poweroff")).toBe("off\noff\n");
  });
});

describe("in a real microVM", () => {
  const gitlabRunner = `
here=\${0%/bin/*}
printf '%s\\n' "$@" >"$here/argv"
cat "$5" >"$here/config-seen"
echo '{"level":"info","msg":"Starting runner for https://gitlab.test with token abc ..."}'
while [ -e "$5" ]; do sleep 0.02; done
echo '{"job":1,"level":"info","msg":"Checking for jobs... received"}'
echo '{"level":"error","msg":"Failed to process build"}'`;

  test("reads its boot data from the metadata service and starts gitlab-runner once with its own identity", async () => {
    const { machine, listen, start } = world();
    machine.addCommand("gitlab-runner", gitlabRunner);
    const reconciler = await listen((call, request, nth) => {
      if (call !== "firerunner-boot") return undefined;
      return nth < 3 ? { status: 404 } : { status: 200, body: bootText(request.origin) };
    });
    const machineId = join(machine.directory, "machine-id");
    const imageMachineId = join(machine.directory, "image-machine-id");
    writeFileSync(machineId, `${"0a".repeat(16)}\n`);
    writeFileSync(imageMachineId, `${"0a".repeat(16)}\n`);
    const agent = start(reconciler, {
      FIRERUNNER_BOOT_FILE: "",
      FIRERUNNER_METADATA_URL: `${reconciler.url}/latest`,
      FIRERUNNER_WORK_DIR: join(machine.directory, "work"),
      FIRERUNNER_MACHINE_ID_FILE: machineId,
      FIRERUNNER_IMAGE_MACHINE_ID_FILE: imageMachineId,
      FIRERUNNER_JOB_WAIT_S: "60",
    });
    await agent.ended;
    expect(reconciler.of("firerunner-boot")[0]?.path).toBe("/latest/firerunner-boot");
    const config = join(machine.stateDir, "runner/config.toml");
    expect(machine.read("argv").trim().split("\n")).toEqual(
      `--log-format json run-single -c ${config} -r fr-small-1 --max-builds 1 --wait-timeout 60`.split(" "),
    );
    expect(machine.read("config-seen")).toContain('token = "glrt-token-of-the-test"');
    expect(machine.read("machine-id")).toMatch(/^(?!0a0a)[0-9a-f]{32}\n$/);
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({ exit_code: "0", reason: "finished" });
  });

  test("asks version 2 of the metadata service for a token, shuts the way to it, tells of its boot and has the machine named", async () => {
    const { machine, listen, start } = world();
    machine.addCommand("gitlab-runner", gitlabRunner);
    machine.addCommand("fr-guest", `echo "$*" >>"${join(machine.directory, "helped")}"`);
    const reconciler = await listen((call, request) => {
      if (call === "token") return request.method === "PUT" ? { status: 200, body: "a-token" } : undefined;
      if (call !== "firerunner-boot") return undefined;
      return request.metadataToken === "a-token" ? { status: 200, body: bootText(request.origin) } : { status: 401 };
    });
    writeFileSync(join(machine.directory, "stages"), "init 1.12\nnetwork 1.33\n");
    await start(reconciler, {
      FIRERUNNER_BOOT_FILE: "",
      FIRERUNNER_METADATA_URL: `${reconciler.url}/latest`,
      FIRERUNNER_WORK_DIR: join(machine.directory, "work"),
      FIRERUNNER_MACHINE_ID_FILE: join(machine.directory, "machine-id"),
      FIRERUNNER_STAGES_FILE: join(machine.directory, "stages"),
    }).ended;
    expect(reconciler.of("token").map(({ path }) => path)).toEqual(["/latest/api/token"]);
    expect(reconciler.of("firerunner-boot")).toHaveLength(2);
    expect(fields(reconciler.of("claim")[0]?.body).boot_stages).toMatch(/^init:1\.12,network:1\.33,claim:\d+\.\d\d$/);
    expect(machine.read("helped")).toBe("metadata off\nhostname fr-small-1\n");
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({ exit_code: "0", reason: "finished" });
  });

  test("gitlab-runner finds a bash first that changes to the user of jobs, where nobody but root writes", async () => {
    const { machine, listen, start } = world();
    machine.addCommand("gitlab-runner", `${gitlabRunner}\nbash --login`);
    machine.addCommand("bash", `printf '%s\\n' "$HOME $USER" "$PATH" "$@" >"${join(machine.directory, "bash-saw")}"`);
    machine.addCommand(
      "setpriv",
      `echo "$*" >"${join(machine.directory, "setpriv-saw")}"; while [ "$1" != -- ]; do shift; done; shift; exec "$@"`,
    );
    machine.addCommand("chown", `echo "$*" >>"${join(machine.directory, "given")}"`);
    writeFileSync(join(machine.directory, "job-user"), "nobody\n");
    const reconciler = await listen();
    const work = join(machine.directory, "work");
    const settings = { FIRERUNNER_JOB_USER_FILE: join(machine.directory, "job-user"), FIRERUNNER_WORK_DIR: work };
    await start(reconciler, settings).ended;
    const bin = join(machine.directory, "bin");
    expect(machine.read("bash-saw")).toMatch(new RegExp(`^/\\S+ nobody\n${bin}\n--login\n$`));
    expect(machine.read("setpriv-saw")).toMatch(/^--reuid \d+ --regid \d+ --init-groups --inh-caps=-all -- \/\S+\/bash --login\n$/);
    expect(machine.read("given")).toBe(`nobody ${work}/builds ${work}/cache\n`);
    expect(statSync(join(work, "shell")).mode & 0o777).toBe(0o755);
  });

  test("an agent that was killed for good has its last words said for it, once", async () => {
    const { machine, listen, start, hold } = world();
    const reconciler = await listen();
    hold();
    const agent = start(reconciler);
    await until(() => machine.read("runner-started") !== "", "the runner's job");
    agent.killGroup();
    await agent.ended;
    const speak = () => machine.start({ FIRERUNNER_BOOT_FILE: join(machine.directory, "boot") }, "last-words", "the agent was ended");
    expect(await speak().ended).toBe(0);
    expect(reconciler.of("log")[0]?.body).toMatch(/the agent was ended\n$/);
    expect(reconciler.of("done").map(({ body }) => fields(body))).toEqual([
      { exit_code: "1", reason: "failed", why: "the agent was ended" },
    ]);
    expect(await speak().ended).toBe(0);
    expect(reconciler.of("done")).toHaveLength(1);
  });

  test("a machine id of its own is left alone", async () => {
    const { machine, listen, start } = world();
    machine.addCommand("gitlab-runner", gitlabRunner);
    const reconciler = await listen((call, request) =>
      call === "firerunner-boot" ? { status: 200, body: bootText(request.origin) } : undefined,
    );
    const machineId = join(machine.directory, "machine-id");
    writeFileSync(machineId, `${"0b".repeat(16)}\n`);
    await start(reconciler, {
      FIRERUNNER_BOOT_FILE: "",
      FIRERUNNER_METADATA_URL: `${reconciler.url}/latest`,
      FIRERUNNER_WORK_DIR: join(machine.directory, "work"),
      FIRERUNNER_MACHINE_ID_FILE: machineId,
    }).ended;
    expect(machine.read("machine-id")).toBe(`${"0b".repeat(16)}\n`);
  });
});

test("on a machine that is no microVM it does nothing at all", async () => {
  const { machine, listen, start } = world();
  const reconciler = await listen();
  const agent = start(reconciler, { FIRERUNNER_BOOT_FILE: "" });
  expect(await agent.ended).toBe(2);
  expect(machine.read("poweroff")).toBe("");
});

/** How many processes of a group live. */
function livingInGroup(group: number): number {
  const stats = readdirSync("/proc").map((name) => {
    try {
      return /^\d+$/.test(name) ? readFileSync(`/proc/${name}/stat`, "utf8") : "";
    } catch {
      return "";
    }
  });
  // After the name in brackets: state, parent, group.
  return stats.filter((stat) => new RegExp(`\\) [^Z] \\d+ ${group} `).test(stat)).length;
}
