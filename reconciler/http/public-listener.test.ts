import { createHmac } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as payloads from "../forge/gitlab/webhook-payloads.fixture.js";
import { systemClock } from "../model/clock.js";
import { FireRunnerError } from "../model/errors.js";
import { jobKey } from "../model/job.js";
import { until } from "../model/until.fixture.js";
import type { Change, Store } from "../store/port.js";
import { createMetrics, type Metrics } from "../telemetry/metrics.js";
import type { RunningListener } from "./listener.js";
import { aJob, declareConnection, keptLog, newStore, onLoopback } from "./listeners.fixture.js";
import { startPublicListener, type WebhookLimits } from "./public-listener.js";

const secret = "a-webhook-secret-of-the-test";
const signingToken = "whsec_bm90LXRoZS1yaWdodC1zaWduaW5nLXRva2Vu";
const formerSecret = "the-webhook-secret-of-last-year";
const formerToken = "whsec_dGhlLXNpZ25pbmctdG9rZW4tb2YtbGFzdC15ZWFy";
const hook = payloads.jobHook15;

function resolveSecret(ref: string): string {
  const known = new Map([
    ["env:WEBHOOK_SECRET", secret],
    ["env:SIGNING_TOKEN", signingToken],
    ["env:FORMER_SECRET", formerSecret],
    ["env:FORMER_TOKEN", formerToken],
  ]).get(ref);
  if (known === undefined) throw new FireRunnerError("FR-CONFIG", `${ref} is not set`);
  return known;
}

let store: Store;
let metrics: Metrics;
let running: RunningListener;
let lines: string[];
let changes: Change[];
let polls: string[];

async function start(limits: Partial<WebhookLimits> = {}): Promise<void> {
  const log = keptLog();
  lines = log.lines;
  metrics = createMetrics();
  running = await startPublicListener({
    listener: onLoopback,
    store,
    clock: systemClock,
    logger: log.logger,
    metrics,
    resolveSecret,
    pollSoon: (connection) => polls.push(connection),
    limits,
  });
}

beforeEach(async () => {
  store = newStore();
  await declareConnection(store);
  changes = [];
  polls = [];
  store.watch((change) => changes.push(change));
  await start();
});

afterEach(async () => {
  await running.stop();
  await store.stop();
});

interface Sent {
  readonly body?: unknown;
  readonly raw?: string | Uint8Array;
  readonly token?: string | undefined;
  readonly type?: string;
  readonly connection?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function send({ body = hook, raw, token = secret, type = "application/json", connection = "gitlab", headers = {} }: Sent = {}) {
  const response = await fetch(`${running.url}/webhooks/gitlab/${connection}`, {
    method: "POST",
    headers: { "content-type": type, "x-gitlab-event": "Job Hook", ...(token === "" ? {} : { "x-gitlab-token": token }), ...headers },
    body: raw ?? JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as { outcome?: string; code?: string; message?: string } };
}

const hints = () => store.list("hint").map(({ key }) => key);
const counted = async (outcome: string) =>
  (await metrics.read()).includes(`firerunner_webhooks_total{connection="gitlab",outcome="${outcome}"}`);

describe("a genuine Job Hook", () => {
  it.each(Object.entries(payloads).filter(([name]) => name.startsWith("jobHook")))(
    "%s is answered 200 and leaves one hint",
    async (_name, body) => {
      expect(await send({ body })).toEqual({ status: 200, body: { outcome: "hinted" } });
      expect(hints()).toEqual([jobKey(aJob({ projectId: 380, jobId: Number((body as { build_id: unknown }).build_id) }))]);
      expect(await counted("hinted")).toBe(true);
    },
  );

  it("is answered only after its hint is readable", async () => {
    let committed = false;
    store.watch(() => {
      committed = true;
    });
    await send();
    expect(committed).toBe(true);
  });

  it("ten times is one hint, whose revision moves each time", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => send()));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(hints()).toHaveLength(1);
    expect(new Set(changes.map(({ revision }) => revision)).size).toBe(10);
  });

  it("of a group and of its project, for one event, is one hint and one reading of the job", async () => {
    await declareConnection(store, { scope: { groupId: 5 } });
    expect((await send()).body.outcome).toBe("hinted");
    const job = aJob({ status: "pending" });
    await store.commit({
      writes: [
        { kind: "job", key: jobKey(job), value: job, expect: "any" },
        { kind: "hint", key: jobKey(job), value: null, expect: "any" },
      ],
    });
    expect((await send()).body.outcome).toBe("known");
    expect(hints()).toEqual([]);
    expect((await send({ body: { ...hook, build_status: "running" } })).body.outcome).toBe("hinted");
  });

  it("tells in its hint when a webhook came last", async () => {
    await send();
    await send();
    const [hint] = store.list("hint");
    expect(hint?.value.hookedAt).toBeGreaterThanOrEqual(hint?.value.firstSeenAt ?? Number.POSITIVE_INFINITY);
  });

  it("of a job that is known as finished, and says so again, leaves nothing", async () => {
    const job = aJob({ status: "success" });
    await store.commit({ writes: [{ kind: "job", key: jobKey(job), value: job, expect: "any" }] });
    expect(await send({ body: { ...hook, build_status: "success" } })).toEqual({ status: 200, body: { outcome: "finished" } });
    expect(hints()).toEqual([]);
    // A later word that the job waits again is looked at: only the forge knows.
    expect((await send()).body.outcome).toBe("hinted");
  });
});

describe("a Pipeline Hook", () => {
  const pipeline = (id: number) => ({ ...payloads.pipelineHook, project: { ...payloads.pipelineHook.project, id } });

  it("has its project read, once however many come", async () => {
    expect(await send({ body: pipeline(380) })).toEqual({ status: 200, body: { outcome: "hinted" } });
    expect(await send({ body: pipeline(380) })).toEqual({ status: 200, body: { outcome: "known" } });
    expect(store.list("hint").map(({ value }) => value)).toMatchObject([{ connection: "gitlab", projectId: 380 }]);
    expect(hints()).toEqual(["gitlab/380/all"]);
    expect(await counted("hinted")).toBe(true);
  });

  it("of another project than the connection's leaves nothing", async () => {
    expect((await send({ body: pipeline(999) })).body.outcome).toBe("foreign-project");
    expect(hints()).toEqual([]);
  });

  it("is bounded with the others: beyond, the connection is polled", async () => {
    await running.stop();
    await declareConnection(store, { scope: { groupId: 5 } });
    await start({ maxWaitingHints: 2 });
    const outcomes: (string | undefined)[] = [];
    for (let id = 1; id <= 6; id += 1) outcomes.push((await send({ body: pipeline(id) })).body.outcome);
    expect(outcomes).toEqual(["hinted", "hinted", "collapsed", "collapsed", "collapsed", "collapsed"]);
    expect(hints()).toHaveLength(4);
    expect(polls).toEqual(["gitlab"]);
  });
});

describe("what is authentic but of no interest is answered 200 and counted", () => {
  it.each([
    ["a job that was only created", { ...hook, build_status: "created" }, "created"],
    ["a status without work", { ...hook, build_status: "manual" }, "other-status"],
    ["a status that is not known yet", { ...hook, build_status: "brand_new" }, "other-status"],
    ["another project", { ...hook, project_id: 999 }, "foreign-project"],
    ["another event", { object_kind: "push", project_id: 380 }, "other-event"],
  ])("%s", async (_name, body, outcome) => {
    expect(await send({ body })).toEqual({ status: 200, body: { outcome } });
    expect(hints()).toEqual([]);
    expect(await counted(outcome)).toBe(true);
  });
});

/** The headers of Standard Webhooks for a body that is sent now. */
function signed(body: string, by = signingToken): Readonly<Record<string, string>> {
  const at = String(Math.floor(Date.now() / 1000));
  const key = Buffer.from(by.slice("whsec_".length), "base64");
  const signature = `v1,${createHmac("sha256", key).update(`msg-1.${at}.${body}`).digest("base64")}`;
  return { "webhook-id": "msg-1", "webhook-timestamp": at, "webhook-signature": signature };
}

describe("while secrets are being changed", () => {
  const both = { secret: "env:WEBHOOK_SECRET", signingToken: "env:SIGNING_TOKEN" };
  const body = JSON.stringify(hook);

  it.each([
    ["the new secret", secret, 200],
    ["the former one", formerSecret, 200],
    ["another one", "another", 401],
  ])("%s is answered as it should be", async (_name, token, status) => {
    await declareConnection(store, { webhook: { secret: "env:WEBHOOK_SECRET", previousSecret: "env:FORMER_SECRET" } });
    expect((await send({ token })).status).toBe(status);
  });

  it.each([
    ["both new", secret, signingToken, 200],
    ["both former", formerSecret, formerToken, 200],
    ["one of each", formerSecret, signingToken, 200],
    ["the secret alone", secret, undefined, 401],
    ["the signature alone", "", formerToken, 401],
    ["a signature with another token", formerSecret, `whsec_${"A".repeat(40)}`, 401],
  ])("both kinds are demanded where both are declared: %s", async (_name, token, by, status) => {
    await declareConnection(store, { webhook: { ...both, previousSecret: "env:FORMER_SECRET", previousSigningToken: "env:FORMER_TOKEN" } });
    expect((await send({ raw: body, token, headers: by === undefined ? {} : signed(body, by) })).status).toBe(status);
  });

  it("a former secret that is gone already is told of in the log, and the new one counts", async () => {
    await declareConnection(store, { webhook: { secret: "env:WEBHOOK_SECRET", previousSecret: "env:GONE" } });
    expect((await send()).status).toBe(200);
    expect((await send({ token: "wrong" })).status).toBe(401);
    expect(lines.join("")).toContain("the former webhook secret env:GONE cannot be used");
  });
});

describe("what is refused", () => {
  it.each<[string, Sent, number, string]>([
    ["a wrong secret", { token: "wrong" }, 401, "unauthorized"],
    ["no secret", { token: "" }, 401, "unauthorized"],
    ["malformed JSON", { raw: "{" }, 400, "malformed"],
    ["JSON that is no webhook", { raw: "[1]" }, 400, "malformed"],
    ["a Job Hook without its id", { body: { ...hook, build_id: undefined } }, 400, "malformed"],
    ["an empty body", { raw: "" }, 400, "malformed"],
    ["a form", { type: "application/x-www-form-urlencoded" }, 415, "wrong-content-type"],
    ["JSON-like text", { type: "text/json" }, 415, "wrong-content-type"],
  ])("%s", async (_name, sent, status, outcome) => {
    const answer = await send(sent);
    expect(answer.status).toBe(status);
    expect(answer.body.code).toMatch(/^FR-/);
    expect(answer.body.message).toBeTruthy();
    expect(hints()).toEqual([]);
    expect(await counted(outcome)).toBe(true);
  });

  it("an unknown connection is 404, whatever comes with it, and makes no metric of its name", async () => {
    expect((await send({ connection: "nobody" })).status).toBe(404);
    expect((await send({ connection: "%00" })).status).toBe(404);
    expect(await metrics.read()).not.toContain("nobody");
  });

  it("nothing else answers here", async () => {
    for (const path of ["/", "/health", "/metrics", "/v1/hosts", "/guest/v1/claim"]) {
      expect((await fetch(running.url + path)).status, path).toBe(404);
    }
    expect((await fetch(`${running.url}/webhooks/gitlab/gitlab`)).status).toBe(404);
  });

  it("a connection without any secret takes no webhooks", async () => {
    await declareConnection(store, { webhook: {} });
    expect((await send()).status).toBe(401);
  });

  it("a connection with a signing token takes what is signed with it, and not what was changed since", async () => {
    await declareConnection(store, { webhook: { signingToken: "env:SIGNING_TOKEN" } });
    const body = JSON.stringify(hook);
    const headers = signed(body);
    expect((await send({ raw: body.replace("41977", "41978"), token: "", headers })).status).toBe(401);
    expect(hints()).toEqual([]);
    expect((await send({ raw: body, token: "", headers })).status).toBe(200);
    expect(hints()).toEqual(["gitlab/380/41977"]);
  });

  it("a connection with a signing token wants the signature beside the right secret", async () => {
    await declareConnection(store, { webhook: { secret: "env:WEBHOOK_SECRET", signingToken: "env:SIGNING_TOKEN" } });
    expect((await send()).status).toBe(401);
    expect(hints()).toEqual([]);
  });

  it("what senders are refused for fills the log once, and no secret is in it", async () => {
    for (let n = 0; n < 5; n += 1) await send({ token: "glpat-a-wrong-secret-value" });
    expect(lines.filter((line) => line.includes("a webhook was refused"))).toHaveLength(1);
    expect(lines.join("")).not.toContain("glpat-a-wrong-secret-value");
    expect(lines.join("")).not.toContain(secret);
  });
});

describe("a body of 2 MiB", () => {
  const raw = new Uint8Array(2 * 1_048_576).fill(0x20);

  it("is refused with 413 when a signature alone proves its sender", async () => {
    await declareConnection(store, { webhook: { signingToken: "env:SIGNING_TOKEN" } });
    expect((await send({ raw })).status).toBe(413);
  });

  it("without the right token is refused unread", async () => {
    expect((await send({ raw, token: "wrong" })).status).toBe(413);
    expect(hints()).toEqual([]);
  });

  it("with it is read to its end and answered 202: the project is looked at", async () => {
    expect(await send({ raw })).toEqual({ status: 202, body: { outcome: "too-large" } });
    expect(hints()).toEqual(["gitlab/380/all"]);
  });

  it("with it, in a group's connection, is answered 202: the group is polled soon, once however many come", async () => {
    await declareConnection(store, { scope: { groupId: 5 } });
    for (let n = 0; n < 3; n += 1) expect((await send({ raw })).status).toBe(202);
    expect(hints()).toEqual([]);
    expect(polls).toEqual(["gitlab"]);
  });

  it("is cut off with 413 beyond what is drained", async () => {
    await running.stop();
    await start({ drainedBytes: 1_500_000 });
    expect((await send({ raw })).status).toBe(413);
  });

  it("without a length, chunk by chunk, is found out as it comes", async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { "content-type": "application/json", "x-gitlab-token": secret };
      const sent = request(`${running.url}/webhooks/gitlab/gitlab`, { method: "POST", headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on("error", reject);
      for (let n = 0; n < 32; n += 1) sent.write(raw.subarray(0, 65_536));
      sent.end();
    });
    expect(status).toBe(202);
  });
});

describe("bounds", () => {
  it("beyond the bound of waiting hints the whole project is one more hint", async () => {
    await running.stop();
    await start({ maxWaitingHints: 3 });
    for (let jobId = 1; jobId <= 6; jobId += 1) await send({ body: { ...hook, build_id: jobId } });
    expect(hints().toSorted()).toEqual(["gitlab/380/1", "gitlab/380/2", "gitlab/380/3", "gitlab/380/all"]);
    expect((await send({ body: { ...hook, build_id: 2 } })).body.outcome).toBe("known");
  });

  it("a group with ever more projects stops at twice the bound", async () => {
    await running.stop();
    await declareConnection(store, { scope: { groupId: 5 } });
    await start({ maxWaitingHints: 3 });
    for (let id = 1; id <= 12; id += 1) expect((await send({ body: { ...hook, build_id: id, project_id: id } })).status).toBe(200);
    expect(hints()).toHaveLength(6);
    expect(polls).toEqual(["gitlab"]);
  });

  it("a sender who goes away in the middle leaves nothing behind", async () => {
    const { port } = new URL(running.url);
    const socket = connect(Number(port), "127.0.0.1");
    socket.write(
      `POST /webhooks/gitlab/gitlab HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-gitlab-token: ${secret}\r\ncontent-length: 100\r\n\r\n{`,
    );
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    socket.end();
    await until(() => counted("malformed"), "the cut request is counted");
    expect(hints()).toEqual([]);
    expect((await send()).status).toBe(200);
  });

  it("a store that is closed is answered 503, and the cause stays in the log", async () => {
    await store.stop();
    const { status, body } = await send();
    expect({ status, code: body.code }).toEqual({ status: 503, code: "FR-STORE" });
    expect(body.message).not.toContain("stopped");
    expect(lines.join("")).toContain("stopped");
  });
});
