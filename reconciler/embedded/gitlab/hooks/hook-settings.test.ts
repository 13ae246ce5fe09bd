import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../model/manual-clock.fixture.js";
import { until } from "../../../model/until.fixture.js";
import { type Json, oneJob, startReceiver, startTestGitLab } from "../gitlab.fixture.js";

/** A project whose hook is told of jobs, after it has had a job. */
async function withHook(settings: Json = {}, clock?: ManualClock) {
  const world = await startTestGitLab(clock);
  const receiver = await startReceiver();
  const { projectId } = await world.push("root/demo", { ".gitlab-ci.yml": oneJob });
  const path = `/projects/${projectId}/hooks`;
  const { body: hook } = await world.api("POST", path, { url: receiver.url, job_events: true, ...settings });
  const test = () => world.api("POST", `${path}/${hook.id}/test/job_events`);
  const events = async (query = "") => world.api("GET", `${path}/${hook.id}/events${query}`);
  const shown = async () => (await world.api("GET", `${path}/${hook.id}`)).body;
  return { ...world, receiver, projectId, path, hook, test, events, shown };
}

describe("what a hook can be given", () => {
  it("are headers of its own, beside GitLab's, which nobody is shown again", async () => {
    const custom_headers = [
      { key: "X-Team", value: "harbour secret" },
      { key: "X-Gitlab-Event", value: "mine" },
    ];
    const { api, receiver, path, hook, test, events } = await withHook({ custom_headers });
    expect(hook.custom_headers).toEqual([{ key: "X-Team" }, { key: "X-Gitlab-Event" }]);
    expect((await test()).status).toBe(201);
    expect(receiver.received[0]?.headers).toMatchObject({ "x-team": "harbour secret", "x-gitlab-event": "Job Hook" });
    const [event] = (await events()).body;
    expect(event.request_headers["X-Team"]).toBe("[REDACTED]");
    expect(JSON.stringify([event, hook])).not.toContain("harbour secret");
    expect((await api("PUT", `${path}/${hook.id}/custom_headers/X-Other`, { value: "more" })).status).toBe(204);
    await test();
    expect(receiver.received[1]?.headers).toMatchObject({ "x-other": "more" });
    expect((await api("POST", path, { url: receiver.url, custom_headers: [{ key: "bad key", value: "x" }] })).status).toBe(400);
  });

  it("is a template of its body, with values of GitLab's own body in it", async () => {
    const custom_webhook_template = '{"job": {{build_id}}, "who": "by {{user.username}}", "runner": {{runner}}, "none": {{no.such}}}';
    const { receiver, test, hook, projectId } = await withHook({ custom_webhook_template });
    expect(hook.custom_webhook_template).toBe(custom_webhook_template);
    expect((await test()).status).toBe(201);
    expect(receiver.received[0]?.body).toEqual({ job: 1, who: "by root", runner: null, none: null });
    expect(projectId).toBe(1);
  });

  it("may be a template that comes to nothing: then nothing is sent, which counts as a failure", async () => {
    for (const custom_webhook_template of ['{"job": {{build_name}}}', '{"x": "{{project_id.y}}"}', "no JSON"]) {
      const { receiver, test, events } = await withHook({ custom_webhook_template });
      expect((await test()).status).toBe(422);
      expect(receiver.received).toEqual([]);
      expect((await events("?status=server_failure")).body).toMatchObject([{ response_status: "internal error" }]);
    }
  });

  it("is a signing token, which is passed over without a word where the flag is off", async () => {
    const { api, gitlab, path, receiver, hook, test } = await withHook({
      signing_token: `whsec_${Buffer.alloc(32, 1).toString("base64")}`,
    });
    expect(hook.signing_token_present).toBe(true);
    await test();
    gitlab.setDials({ hooks: { signing: false } });
    await test();
    expect(receiver.received.map(({ headers }) => "webhook-signature" in headers)).toEqual([true, false]);
    const late = await api("POST", path, { url: receiver.url, signing_token: `whsec_${Buffer.alloc(32, 2).toString("base64")}` });
    expect([late.status, late.body.signing_token_present]).toEqual([201, false]);
  });
});

describe("the log of a hook", () => {
  it("is searched by status, at most twenty at a time", async () => {
    const { receiver, test, events } = await withHook();
    for (const status of [200, 404, 503]) {
      receiver.answer = () => status;
      expect((await test()).status).toBe(status === 200 ? 201 : 422);
    }
    const statuses = async (query: string) => (await events(query)).body.map(({ response_status: status }: Json) => status);
    expect(await statuses("")).toEqual(["503", "404", "200"]);
    expect(await statuses("?status=successful")).toEqual(["200"]);
    expect(await statuses("?status=client_failure,503")).toEqual(["503", "404"]);
    expect((await events("?status=odd")).status).toBe(400);
    expect((await events("?per_page=21")).status).toBe(400);
  });
});

describe("an instance's own ways with hooks", () => {
  it("may be to disable none", async () => {
    const { gitlab, receiver, test, shown } = await withHook();
    gitlab.setDials({ hooks: { autoDisable: false } });
    receiver.answer = () => 500;
    for (let n = 0; n < 5; n += 1) await test();
    expect(await shown()).toMatchObject({ alert_status: "executable", disabled_until: null });
  });

  it("disable one for good after 40 failures in a row, and a test that is answered well wakes it even then", async () => {
    const { receiver, test, shown } = await withHook();
    receiver.answer = () => 500;
    for (let n = 0; n < 40; n += 1) await test();
    expect(await shown()).toMatchObject({ alert_status: "disabled", disabled_until: null });
    receiver.answer = () => 200;
    await test();
    expect((await shown()).alert_status).toBe("executable");
  });

  it("may be to stay silent", async () => {
    const { api, gitlab, receiver, projectId, events } = await withHook();
    gitlab.setDials({ hooks: { silent: true } });
    await api("POST", `/projects/${projectId}/pipeline`, { ref: "main" });
    await gitlab.hooksDelivered();
    expect([receiver.received, (await events()).body]).toEqual([[], []]);
  });

  it("limit tests by the minute", async () => {
    const clock = new ManualClock();
    const { gitlab, test } = await withHook({}, clock);
    gitlab.setDials({ hooks: { testsPerMinute: 1 } });
    expect((await test()).status).toBe(201);
    const refused = await test();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "60"]);
    await clock.advance(60_000);
    expect((await test()).status).toBe(201);
  });

  it("bring deliveries in any order", async () => {
    const clock = new ManualClock();
    const { api, gitlab, receiver, projectId } = await withHook({}, clock);
    gitlab.setDials({ hooks: { jitterMs: 10_000 } });
    for (let n = 0; n < 5; n += 1) await api("POST", `/projects/${projectId}/pipeline`, { ref: "main" });
    expect(receiver.received).toEqual([]);
    for (let second = 0; second < 10; second += 1) {
      await clock.advance(1000);
      // What is under way by now arrives before what comes later.
      await until(() => gitlab.hooksUnderWay() === 0, "all that was sent has arrived");
    }
    const order = receiver.received.map(({ body }) => body.build_id);
    expect(order).toHaveLength(10);
    expect(order).not.toEqual([...order].sort((a, b) => a - b));
  });
});
