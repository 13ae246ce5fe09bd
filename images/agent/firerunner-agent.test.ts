import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { until } from "../../reconciler/model/until.fixture.js";
import { nonce } from "./agent.fixture.js";
import { fields, quickHeartbeats, useAgentWorld } from "./agent-world.fixture.js";

const world = useAgentWorld();

function secretOf(request: { authorization: string | undefined } | undefined): string {
  return /^Bearer fr-small-1:([0-9a-f]{64})$/.exec(request?.authorization ?? "")?.[1] ?? "";
}

describe("a microVM that is wanted at once", () => {
  test("claims, runs the runner, says that it is done and powers off", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen();
    const agent = start(reconciler);
    expect(await agent.ended, agent.stderr()).toBe(0);
    expect(machine.read("poweroff")).toBe("off\n");

    const [claim] = reconciler.of("claim");
    const body = fields(claim?.body);
    expect(body).toMatchObject({ vm: "fr-small-1", nonce, boot_id: "boot-1" });
    expect(claim?.contentType).toBe("text/plain");
    expect(claim?.authorization).toBeUndefined();
    const secret = secretOf(reconciler.of("config")[0]);
    expect(body.secret_sha256).toBe(createHash("sha256").update(secret).digest("hex"));

    const states = reconciler.of("heartbeat").map((request) => fields(request.body).state);
    expect(states).toContain("started");
    expect(reconciler.of("done").map((request) => fields(request.body))).toEqual([{ exit_code: "0", reason: "finished" }]);
    for (const request of reconciler.requests.filter(({ path }) => !path.endsWith("/claim"))) expect(secretOf(request)).toBe(secret);
  });

  test("keeps the token out of argv and environment, and removes it before the job", async () => {
    const { machine, listen, start, hold, letRunnerEnd } = world();
    const reconciler = await listen();
    hold();
    const agent = start(reconciler);
    await until(() => machine.read("runner-started") !== "", "the runner's job");
    expect(machine.read("token-seen")).toBe("glrt-token-of-the-test\n");
    expect(machine.read("argv").split("\n")).toEqual([
      "--url",
      "https://gitlab.test",
      "--token-file",
      join(machine.stateDir, "runner/token"),
      "--builds-dir",
      join(machine.stateDir, "builds"),
      "--max-builds",
      "1",
      "--wait-timeout",
      "300",
      "",
    ]);
    expect(machine.read("environ")).not.toMatch(/glrt-|FIRERUNNER_BOOT|FIRERUNNER_STATE_DIR/);
    expect(existsSync(join(machine.stateDir, "runner/token"))).toBe(false);
    expect(existsSync(join(machine.stateDir, "runner/config.toml"))).toBe(false);
    expect(statSync(join(machine.stateDir, "session-secret")).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(machine.stateDir, "runner/.runner_system_id"), "utf8")).toMatch(/^r_[0-9a-f]{12}$/);
    letRunnerEnd();
    expect(await agent.ended).toBe(0);
  });

  test("tells the runner's exit code and sends its log when the runner fails", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen();
    writeFileSync(join(machine.directory, "runner-exit"), "3");
    await start(reconciler).ended;
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({ exit_code: "3", reason: "failed" });
    expect(reconciler.of("log")[0]?.body).toMatch(/^--- runner\nStarting runner for https:\/\/gitlab\.test .*\n--- agent\n/s);
    expect(reconciler.of("log")[0]?.body).toMatch(/the runner ended with 3\n$/);
    expect(machine.read("poweroff")).toBe("off\n");
  });

  test("sends no more of a long log than is taken, and the end of it", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen();
    const line = "x".repeat(200);
    machine.addCommand("fr-runner", `n=0; while [ "$n" -lt 1000 ]; do echo "${line} $n"; n=$((n + 1)); done; exit 3`);
    writeFileSync(join(machine.directory, "init-log"), "the disk is broken\n");
    await start(reconciler, { FIRERUNNER_INIT_LOG_FILE: join(machine.directory, "init-log") }).ended;
    const log = reconciler.of("log")[0]?.body ?? "";
    expect(log.length).toBeLessThan(65_536);
    expect(log).toMatch(/^--- init\nthe disk is broken\n/);
    expect(log).toContain(`${line} 999`);
    expect(log).toMatch(/the runner ended with 3\n$/);
  });

  test("has its runner run jobs as the user that the image names for them", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen();
    writeFileSync(join(machine.directory, "job-user"), "nobody\n");
    const settings = {
      FIRERUNNER_JOB_USER_FILE: join(machine.directory, "job-user"),
      FIRERUNNER_WORK_DIR: join(machine.directory, "work"),
    };
    await start(reconciler, settings).ended;
    expect(machine.read("argv")).toContain("--user\nnobody\n");
    expect(statSync(join(machine.directory, "work/builds")).mode & 0o777).toBe(0o755);
  });

  test("starts no runner when the image does not know the user that it names for jobs", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen();
    writeFileSync(join(machine.directory, "job-user"), "no-such-user\n");
    await start(reconciler, { FIRERUNNER_JOB_USER_FILE: join(machine.directory, "job-user") }).ended;
    expect(machine.read("argv")).toBe("");
    const why = "jobs are to be run as the user no-such-user, whom this image does not know";
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({ exit_code: "1", reason: "refused", why });
  });

  test("beats while the runner runs, and never stops it: not by stop, not by 401, not by silence", async () => {
    const { machine, listen, start, hold, letRunnerEnd } = world();
    const answers = [{ status: 200, body: "action=stop\n" }, { status: 401 }, { status: 404 }, { status: 500 }, "drop"] as const;
    let running = 0;
    const reconciler = await listen((call, request) => {
      if (call !== "heartbeat" || !request.body.includes("state=running")) return undefined;
      running += 1;
      return answers[running - 1];
    });
    hold();
    const agent = start(reconciler, quickHeartbeats);
    await reconciler.until(() => running > answers.length + 1, "heartbeats after every bad answer");
    expect(machine.read("poweroff")).toBe("");
    letRunnerEnd();
    await agent.ended;
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({ exit_code: "0", reason: "finished" });
  });

  test("repeats state=started until it was heard", async () => {
    const { listen, start, hold, letRunnerEnd } = world();
    let refused = 0;
    const reconciler = await listen((call, request) => {
      if (call !== "heartbeat" || !request.body.includes("state=started") || refused === 3) return undefined;
      refused += 1;
      return { status: 503 };
    });
    hold();
    const agent = start(reconciler, quickHeartbeats);
    await reconciler.until(() => reconciler.of("heartbeat").some(({ body }) => body.includes("state=running")), "state=running");
    expect(refused).toBe(3);
    letRunnerEnd();
    await agent.ended;
  });
});

describe("a microVM that waits", () => {
  test("parks without a credential, then runs when it is wanted", async () => {
    const { listen, start } = world();
    const reconciler = await listen((call, _request, nth) => {
      if (call === "claim") return { status: 200, body: "action=park\n" };
      if (call === "next") return { status: 200, body: nth < 3 ? "action=park\n" : "action=run\n" };
      return undefined;
    });
    const agent = start(reconciler);
    await agent.ended;
    expect(reconciler.of("next").map(({ path }) => path)).toEqual(Array(3).fill("/guest/v1/next?wait_s=25"));
    expect(reconciler.of("config")).toHaveLength(1);
    expect(reconciler.of("heartbeat").map((request) => fields(request.body).state)[0]).toBe("parked");
    expect(fields(reconciler.of("done")[0]?.body).reason).toBe("finished");
  });

  test("claims again with the same secret when its session is not known", async () => {
    const { listen, start } = world();
    const reconciler = await listen((call, _request, nth) => {
      if (call === "claim") return { status: 200, body: nth === 1 ? "action=park\n" : "action=run\n" };
      return call === "next" ? { status: 401 } : undefined;
    });
    await start(reconciler).ended;
    const [first, second] = reconciler.of("claim");
    expect(second?.body).toBe(first?.body);
    expect(reconciler.of("config")).toHaveLength(1);
  });

  test.each(["claim", "next", "heartbeat"])("ends without a runner when %s says stop", async (stopped) => {
    const { machine, listen, start } = world();
    const reconciler = await listen((call) => {
      if (call === stopped) return { status: 200, body: "action=stop\n" };
      return call === "claim" ? { status: 200, body: "action=park\n" } : undefined;
    });
    await start(reconciler, quickHeartbeats).ended;
    expect(reconciler.of("config")).toHaveLength(0);
    expect(machine.read("argv")).toBe("");
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({ exit_code: "0", reason: "finished" });
    expect(machine.read("poweroff")).toBe("off\n");
  });

  test("powers off when nobody answers for the limit", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen((call) => {
      if (call === "claim") return { status: 200, body: "action=park\n" };
      return call === "next" ? { status: 502 } : undefined;
    });
    await start(reconciler, { FIRERUNNER_PARK_LIMIT_S: "1" }).ended;
    expect(fields(reconciler.of("done")[0]?.body).reason).toBe("failed");
    expect(machine.read("poweroff")).toBe("off\n");
  });
});

describe("a claim", () => {
  test.each([400, 401, 403])("that is refused with %i powers off at once without running anything", async (status) => {
    const { machine, listen, start } = world();
    const reconciler = await listen((call) => (call === "claim" ? { status } : undefined));
    await start(reconciler).ended;
    expect(reconciler.requests.map(({ path }) => path)).toEqual(["/guest/v1/claim"]);
    expect(machine.read("poweroff")).toBe("off\n");
    expect(machine.read("argv")).toBe("");
  });

  test("whose reply is lost is sent again with the same secret", async () => {
    const { listen, start } = world();
    const lost = ["drop", { status: 503 }, { status: 429 }] as const;
    const reconciler = await listen((call, _request, nth) => (call === "claim" ? lost[nth - 1] : undefined));
    await start(reconciler).ended;
    const bodies = reconciler.of("claim").map(({ body }) => body);
    expect(bodies).toHaveLength(4);
    expect(new Set(bodies).size).toBe(1);
    expect(fields(reconciler.of("done")[0]?.body).reason).toBe("finished");
  });

  test("that nobody answers ends at its limit", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen((call) => (call === "claim" ? { status: 503 } : undefined));
    await start(reconciler, { FIRERUNNER_CLAIM_LIMIT_S: "1" }).ended;
    expect(reconciler.of("done")).toHaveLength(0);
    expect(machine.read("poweroff")).toBe("off\n");
  });
});

describe("the runner's config", () => {
  test("that was used already is a refusal", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen((call) => (call === "config" ? { status: 410 } : undefined));
    await start(reconciler).ended;
    expect(fields(reconciler.of("done")[0]?.body)).toEqual({
      exit_code: "1",
      reason: "refused",
      why: "the runner's config was refused with 410",
    });
    expect(machine.read("argv")).toBe("");
    expect(machine.read("poweroff")).toBe("off\n");
  });

  test("whose reply is lost is asked for again", async () => {
    const { machine, listen, start } = world();
    const reconciler = await listen((call, _request, nth) => (call === "config" && nth < 3 ? "drop" : undefined));
    await start(reconciler).ended;
    expect(reconciler.of("config")).toHaveLength(3);
    expect(machine.read("token-seen")).toBe("glrt-token-of-the-test\n");
  });
});
