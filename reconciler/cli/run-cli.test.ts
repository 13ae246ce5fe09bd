import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { lastWords } from "../guest/last-words.js";
import { oneOfEach } from "../http/listeners.fixture.js";
import { until } from "../model/until.fixture.js";
import { aWaitingJob, type CliWorld, run, startCliWorld } from "./cli-world.fixture.js";
import { readVersion } from "./version.js";

const build = { ...aWaitingJob, id: 102, name: "build" };
const now = Date.now();
const built = {
  ...build,
  status: "success",
  started_at: new Date(now).toISOString(),
  finished_at: new Date(now + 140_000).toISOString(),
};
const jobs: Record<string, unknown>[] = [aWaitingJob, build];

let world: CliWorld;
let fleetFile: string;

beforeAll(async () => {
  world = await startCliWorld(jobs);
  fleetFile = join(world.directory, "fleet.yaml");
  writeFileSync(fleetFile, fleetText());
});
afterAll(() => world.stop());

function fleetText(change: Record<string, unknown> = {}): string {
  const connection = { ...oneOfEach.connection, url: world.gitlabUrl };
  const fleet = {
    hosts: [{ ...oneOfEach.host, endpoint: "127.0.0.1:1" }],
    images: [oneOfEach.image],
    connections: [connection],
    pools: [oneOfEach.pool],
  };
  return stringify({ ...fleet, ...change }, { aliasDuplicateObjects: false });
}

describe("the command line itself", () => {
  it("--version is the package's", async () => {
    expect(await run(["--version"])).toEqual({ code: 0, out: `${readVersion()}\n`, err: "" });
    expect(readVersion()).toMatch(/^\d+\.\d+\.\d+/);
  });

  it("--help shows the commands, and a command's own options, without colour where nobody sees it", async () => {
    const help = await run(["--help"]);
    expect(help.code).toBe(0);
    for (const command of ["serve", "dev", "apply", "export", "get", "describe", "logs"]) expect(help.out).toContain(command);
    expect(help.out).toContain("Exit codes: 0 success, 1 failure");
    expect((await run(["get", "--help"])).out).toContain("--output");
    expect(help.out).toBe(stripVTControlCharacters(help.out));
  });

  it.each<[string, string[], string]>([
    ["an unknown command", ["aply"], 'unknown command "aply"'],
    ["an unknown option", ["get", "jobs", "--wide"], "Unknown option '--wide'"],
    ["an option of no command", ["--wide"], "unknown option --wide"],
    ["an option without its value", ["apply", "-f"], "argument missing"],
    ["a missing option", ["apply"], "Missing required argument: --file"],
    ["a missing word", ["logs"], "Missing required positional argument: JOB"],
    ["a word too many", ["logs", "1", "2"], 'unexpected "2"'],
    ["an unknown kind", ["get", "nodes"], '"nodes" is refused: must be one of hosts, images'],
    ["an unknown form", ["get", "jobs", "-o", "xml"], "Expected one of: table, wide, json, yaml"],
    ["two logs at once", ["logs", "vm-1", "--guest", "--console"], "--guest and --console exclude each other"],
    ["following what is over", ["logs", "vm-1", "--guest", "--follow"], "--follow and --tail go with --console"],
    ["a tail that is no number", ["logs", "vm-1", "--console", "--tail", "all"], '--tail: "all" is refused'],
    ["a job that is none", ["logs", "x y"], '"x y" is refused: a job is CONNECTION/PROJECT/JOB or its id'],
  ])("%s ends with 2 and one line", async (_name, args, message) => {
    const { code, out, err } = await world.run(args);
    expect({ code, out, lines: err.trimEnd().split("\n").length }).toEqual({ code: 2, out: "", lines: 1 });
    expect(err).toMatch(/^error: /);
    expect(err).toContain(message);
  });

  it("no command at all shows the usage and ends with 2", async () => {
    expect(await run([])).toMatchObject({ code: 2, out: "", err: expect.stringContaining("COMMANDS") });
  });
});

describe("how the service is found", () => {
  it("by options, which go before the environment", async () => {
    const tokenFile = join(world.directory, "state/admin-token");
    const args = ["get", "images", "--url", world.service.urls.admin, "--token-file", tokenFile];
    expect((await run(args, { env: { FIRERUNNER_URL: "http://127.0.0.1:1", FIRERUNNER_TOKEN: "wrong" } })).code).toBe(0);
  });

  it.each<[string, string[], Record<string, string>, string]>([
    [
      "nobody listens",
      ["--url", "http://127.0.0.1:1"],
      { FIRERUNNER_TOKEN: "x" },
      "FR-CONFIG: no answer from http://127.0.0.1:1: is the service running",
    ],
    ["the token is wrong", [], { FIRERUNNER_TOKEN: "wrong" }, "FR-UNAUTHORIZED: the token is not the one of this admin API"],
    ["the URL is none", ["--url", "localhost:8472"], {}, 'the admin API\'s URL "localhost:8472" is refused'],
    ["the token file is missing", ["--token-file", "/nonexistent/token"], {}, "reading the admin token from /nonexistent/token failed"],
    ["only the URL is known", ["--url", "http://192.0.2.1:1"], { FIRERUNNER_TOKEN: "" }, "FR-CONFIG: no "],
  ])("%s: 1, and one line with a code", async (_name, args, env, message) => {
    const { code, err } = await world.run(["get", "images", ...args], { env: { XDG_STATE_HOME: "/nonexistent", ...env } });
    expect(code).toBe(1);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect(err).toMatch(/^error FR-/);
    expect(err).toContain(message);
  });

  it("another program at the URL is told from a service", async () => {
    const { code, err } = await world.run(["get", "images", "--url", world.gitlabUrl]);
    expect([code, err]).toEqual([1, expect.stringContaining("not as FireRunner answers")]);
  });
});

describe("apply", () => {
  it.each<[string, () => Record<string, unknown>, RegExp]>([
    [
      "a wrong field",
      () => ({ images: [{ ...oneOfEach.image, kernal: 1 }] }),
      /^error FR-INVALID: .*fleet.yaml:\d+: images\[0\]\.kernal: is not a known field$/,
    ],
    [
      "a negative size",
      () => ({ pools: [{ ...oneOfEach.pool, sizes: { small: { vcpu: -2, memoryMb: 1024 } } }] }),
      /fleet.yaml:\d+: pools\[0\]\.sizes\.small\.vcpu: -2 is refused: must be above 0$/,
    ],
    [
      "an unknown image",
      () => ({ pools: [{ ...oneOfEach.pool, image: "nope" }] }),
      /fleet.yaml:\d+: pools\[0\]\.image: "nope" is refused: no such image; declared: base$/,
    ],
    [
      "an overlapping subnet",
      () => ({
        hosts: [
          oneOfEach.host,
          { ...oneOfEach.host, name: "rack-2", network: { ...oneOfEach.host.network, subnet: "10.20.0.0/25", gateway: "10.20.0.2" } },
        ],
      }),
      /fleet.yaml:\d+: hosts\[1\]\.network\.subnet: "10\.20\.0\.0\/25" is refused: it overlaps 10\.20\.0\.0\/24 of host "rack-1"$/,
    ],
  ])("%s: one clear message and nothing half-applied", async (_name, change, message) => {
    writeFileSync(fleetFile, fleetText(change()));
    const { code, out, err } = await world.run(["apply", "-f", fleetFile]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err.trimEnd()).toMatch(message);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    for (const kind of ["host", "image", "connection", "pool"] as const) expect(world.service.store.count(kind)).toBe(0);
  });

  it("declares the whole, and says what it did with each record", async () => {
    writeFileSync(fleetFile, fleetText());
    const first = await world.run(["apply", "-f", fleetFile]);
    expect(first).toEqual({
      code: 0,
      err: "",
      out: "host/rack-1 created (generation 1)\nimage/base created (generation 1)\nconnection/gitlab created (generation 1)\npool/small created (generation 1)\n",
    });
    const changed = fleetText({ pools: [{ ...oneOfEach.pool, maxMicrovms: 3 }] });
    const second = await world.run(["apply", "-f", "-"], { input: changed });
    expect(second.out).toContain("image/base unchanged (generation 1)\n");
    expect(second.out).toContain("pool/small changed (generation 2)\n");
  });

  it("a file that is not there", async () => {
    expect(await world.run(["apply", "-f", "/nonexistent.yaml"])).toEqual({
      code: 1,
      out: "",
      err: "error FR-CONFIG: there is no file /nonexistent.yaml\n",
    });
  });
});

describe("what the service has learned of its forge", () => {
  const statusOf = (id: number) => world.service.store.get("job", `gitlab/380/${id}`)?.value.status;

  beforeAll(async () => {
    await until(
      () => world.service.store.get("job", "gitlab/380/101")?.value.waitingReason !== undefined,
      "the waiting job is known and explained",
    );
    await until(() => statusOf(102) === "pending", "the other one, too");
    jobs[1] = built;
    const response = await fetch(`${world.service.urls.public}/webhooks/gitlab/gitlab`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-gitlab-token": "a-webhook-secret" },
      body: JSON.stringify({ object_kind: "build", build_id: 102, build_status: "success", project_id: 380 }),
    });
    expect(response.status).toBe(200);
    await until(() => statusOf(102) === "success", "its end is known");
    const event = { at: now, type: "HostCordoned", subject: { kind: "host", name: "rack-1" }, message: "for a new disk" };
    await world.service.store.commit({ writes: [], events: [event] });
    await until(async () => !(await world.run(["get", "hosts"])).out.includes("  unknown  "), "the host was asked");
  });

  it("get replicas shows who leads", async () => {
    await until(async () => (await world.run(["get", "replicas"])).out.includes("  leads  "), "it leads");
    const { code, out } = await world.run(["get", "replicas"]);
    const [head, ...rows] = out.trimEnd().split("\n");
    expect([code, head]).toEqual([0, expect.stringMatching(/^NAME +ROLE +EPOCH +BEHIND +HEARD +UP +VERSION +ADMIN$/)]);
    expect(rows).toEqual([
      expect.stringMatching(/^\S+ \(answers\) +leads +1-[0-9a-f]+ +0 +\S+ +\S+ +\d+\.\d+\.\d+ +http:\/\/127\.0\.0\.1:\d+$/),
    ]);
  });

  it("get jobs is a table whose columns line up", async () => {
    const { code, out } = await world.run(["get", "jobs"]);
    const [head, ...rows] = out.trimEnd().split("\n");
    expect(code).toBe(0);
    expect(head).toMatch(/^JOB +NAME +STAGE +STATUS +POOL +MICROVM +WAITED +RAN +WAITING FOR$/);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatch(/^gitlab\/380\/101 +unit tests +test +pending +small +- +\S+ +- +FR-/);
    expect(rows[1]).toMatch(/^gitlab\/380\/102 +build +test +success +\S+ +- +\S+ +2m20s +-$/);
    expect(rows[0]?.indexOf("unit tests")).toBe(head?.indexOf("NAME"));
  });

  it("-o wide has more columns, json and yaml the data", async () => {
    expect((await world.run(["get", "jobs", "-o", "wide"])).out).toMatch(/PIPELINE +REF +TRACE/);
    const json = JSON.parse((await world.run(["get", "jobs", "-o", "json"])).out);
    expect(json).toMatchObject([{ key: "gitlab/380/101", status: "pending" }, { status: "success" }]);
    expect(parse((await world.run(["get", "jobs", "-o", "yaml"])).out)).toEqual(json);
    expect(JSON.parse((await world.run(["get", "job", "101", "--output=json"])).out)).toMatchObject({ jobId: 101 });
  });

  it("colours what a terminal shows, without moving the columns", async () => {
    const plain = await world.run(["get", "images"]);
    const coloured = await world.run(["get", "images"], { coloured: true });
    expect(coloured.out).not.toBe(plain.out);
    expect(stripVTControlCharacters(coloured.out)).toBe(plain.out);
  });

  it.each([
    ["hosts", /^rack-1 +127\.0\.0\.1:1 +FR-HOST-UNREACHABLE +open +0\/8 +0\/8 +0M\/16G +unknown$/m],
    ["images", /^base +registry\.example\/rootfs:1 +registry\.example\/kernel:6\.1 +amd64$/m],
    ["connections", /^gitlab +gitlab +http:\S+ +project 380 +ok$/m],
    ["pools", /^small +gitlab +base +0\/3 +open +0 +vm +small=1x1G$/m],
    ["vms", /^$/],
    ["events", /^AT +TYPE +SUBJECT +MESSAGE\n(.*\n)*\S+Z +HostCordoned +host\/rack-1 +for a new disk$/m],
  ])("get %s", async (kind, expected) => {
    const { code, out } = await world.run(["get", kind]);
    expect(code).toBe(0);
    expect(out).toMatch(expected);
  });

  it("nothing of a kind is said on standard error, and an empty list as data", async () => {
    expect(await world.run(["get", "microvms"])).toEqual({ code: 0, out: "", err: "there are no microvms\n" });
    expect((await world.run(["get", "microvms", "-o", "json"])).out).toBe("[]\n");
  });

  it("describe job says why it waits, when what happened, and shows its events", async () => {
    const { code, out } = await world.run(["describe", "job", "101"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^job gitlab\/380\/101\nwaiting: for .+ \(FR-[A-Z-]+\)$/m);
    expect(out).toMatch(/Timeline\nAT +WHAT +AFTER\n2026-02-03T04:05:06Z +created/);
    expect(out).toMatch(/pending +\+/);
    expect(out).toMatch(/Record\nkey: gitlab\/380\/101\n/);
    expect(out).toContain("createdAt: 2026-02-03T04:05:06Z");
    expect(out).toContain("\nEvents\n");
  });

  it("describe of what is declared, and of what is not there", async () => {
    expect((await world.run(["describe", "host", "rack-1"])).out).toMatch(/subnet: 10\.20\.0\.0\/24\n(.*\n)*Events\n.*\n.*for a new disk/);
    expect(await world.run(["describe", "host", "rack-9"])).toMatchObject({
      code: 1,
      err: 'error FR-NOT-FOUND: no host is called "rack-9"\n',
    });
    expect((await world.run(["describe", "event", "1"])).code).toBe(2);
  });

  it("logs prints the job's real log, by key or by id, and ends its last line", async () => {
    const byKey = await world.run(["logs", "gitlab/380/102"]);
    expect(byKey).toEqual({ code: 0, out: "log of build\nlast line\n", err: "" });
    expect(await world.run(["logs", "102"])).toEqual(byKey);
    expect(await world.run(["logs", "999"])).toMatchObject({ code: 1, err: "error FR-NOT-FOUND: job 999 is not known here\n" });
  });

  it("logs --guest prints what a microVM's guest said at its end, of which tables show the last line", async () => {
    const said = lastWords("vm-last", "--- runner\nit begins\nit ended with 1", 1_000, "0".repeat(32));
    await world.service.store.commit({ writes: [], events: said === undefined ? [] : [said] });
    expect(await world.run(["logs", "--guest", "vm-last"])).toEqual({ code: 0, out: "--- runner\nit begins\nit ended with 1\n", err: "" });
    expect((await world.run(["get", "events"])).out).toMatch(/its guest said at the end: it ended with 1$/m);
    expect((await world.run(["logs", "--guest", "vm-other"])).err).toContain('"vm-other" has sent no log: only one that fails does');
  });

  it("logs --console says that nothing is known of a microVM that is gone", async () => {
    const { code, err } = await world.run(["logs", "--console", "vm-gone"], { env: { ...world.env, XDG_STATE_HOME: world.directory } });
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining('no microVM is called "vm-gone" (any more)') });
  });

  it("no secret is in anything that was shown", async () => {
    const shown = await Promise.all(
      ["hosts", "connections", "pools", "jobs", "events"].map((kind) => world.run(["get", kind, "-o", "json"])),
    );
    for (const { out } of shown) expect(out).not.toMatch(/glpat-|a-webhook-secret/);
  });
});
