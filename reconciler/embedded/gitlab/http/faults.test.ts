import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../model/manual-clock.fixture.js";
import { until } from "../../../model/until.fixture.js";
import { oneJob, startTestGitLab } from "../gitlab.fixture.js";

describe("the dials", () => {
  it("are set over HTTP, tell what they are, and refuse what they do not know", async () => {
    const { bare, gitlab } = await startTestGitLab();
    const token = { "private-token": gitlab.token };
    expect((await bare("PUT", "/-/dials", {}, {})).status).toBe(401);
    const set = await bare("PUT", "/-/dials", token, { runnerLimit: 3 });
    expect([set.status, set.body.runnerLimit]).toEqual([200, 3]);
    const refused = await bare("PUT", "/-/dials", token, { runnerLimt: 3 });
    expect([refused.status, refused.body.message]).toEqual([400, "dials: runnerLimt: is not a known field"]);
    expect((await bare("PUT", "/-/dials", token, { faults: [{ kind: "lostReply", path: "(" }] })).status).toBe(400);
    expect((await bare("GET", "/-/dials", token)).body.runnerLimit).toBe(3);
    await bare("PUT", "/-/dials", token, {});
    expect((await bare("GET", "/-/dials", token)).body.runnerLimit).toBe(1000);
  });

  it("answer instead of looking, as often as asked, and never shut themselves out", async () => {
    const { api, bare, gitlab } = await startTestGitLab();
    gitlab.setDials({ faults: [{ kind: "answer", path: "", status: 429, retryAfterS: 7, times: 2 }] });
    const limited = await api("GET", "/version");
    expect([limited.status, limited.headers.get("retry-after"), limited.body]).toEqual([429, "7", { message: "429 Too Many Requests" }]);
    expect((await bare("GET", "/-/dials", { "private-token": gitlab.token })).status).toBe(200);
    expect((await api("GET", "/version")).status).toBe(429);
    expect((await api("GET", "/version")).status).toBe(200);
  });

  it("ask a runner to come back with its last word", async () => {
    const { push, runner, bare, api, gitlab } = await startTestGitLab();
    const { projectId } = await push("root/demo", { ".gitlab-ci.yml": oneJob });
    const job = (await bare("POST", "/api/v4/jobs/request", {}, { token: (await runner(projectId)).token })).body;
    gitlab.setDials({ faults: [{ kind: "answer", path: "^PUT /api/v4/jobs/", status: 202, times: 1 }] });
    const end = () => bare("PUT", `/api/v4/jobs/${job.id}`, {}, { token: job.token, state: "success" });
    expect((await end()).status).toBe(202);
    expect((await api("GET", `/projects/${projectId}/jobs/${job.id}`)).body.status).toBe("running");
    expect((await end()).status).toBe(200);
  });

  it("lose the answer of what was done", async () => {
    const { api, gitlab } = await startTestGitLab();
    gitlab.setDials({ faults: [{ kind: "lostReply", path: "^POST /api/v4/user/runners$", times: 1 }] });
    const make = () => api("POST", "/user/runners", { runner_type: "instance_type", description: "made in any case" });
    await expect(make()).rejects.toThrow();
    expect((await api("GET", "/runners/all")).body).toMatchObject([{ description: "made in any case" }]);
    expect((await make()).status).toBe(201);
  });

  it("never answer, and let whoever asked go away", async () => {
    const { gitlab, api } = await startTestGitLab();
    gitlab.setDials({ faults: [{ kind: "hang", path: "^POST /api/v4/user/runners$" }] });
    const gone = new AbortController();
    const asked = fetch(`${gitlab.url}/api/v4/user/runners`, {
      method: "POST",
      headers: { "private-token": gitlab.token, "content-type": "application/json" },
      body: JSON.stringify({ runner_type: "instance_type" }),
      signal: gone.signal,
    });
    expect((await api("GET", "/version")).status).toBe(200);
    gone.abort();
    await expect(asked).rejects.toThrow();
    // Whoever waits when everything ends is not waited for.
    const waiting = api("POST", "/user/runners", { runner_type: "instance_type" });
    const ended = expect(waiting).rejects.toThrow();
    expect((await api("GET", "/runners/all")).body).toEqual([]);
    await gitlab.stop();
    await ended;
  });

  it("make answers late", async () => {
    const clock = new ManualClock();
    const { api, gitlab } = await startTestGitLab(clock);
    gitlab.setDials({ faults: [{ kind: "delay", path: "version", ms: 3000 }] });
    const timersBefore = clock.waiting;
    let answered = false;
    const late = api("GET", "/version").then((answer) => {
      answered = true;
      return answer.status;
    });
    await until(() => clock.waiting > timersBefore, "the request waits");
    await clock.advance(2999);
    expect(answered).toBe(false);
    await clock.advance(1);
    expect(await late).toBe(200);
  });
});
