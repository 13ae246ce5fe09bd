import { expect, it } from "vitest";
import { oneJob, startReceiver, startTestGitLab } from "../../embedded/gitlab/gitlab.fixture.js";
import type { Connection, Scope } from "../../model/connection.js";
import { startWorld, type World } from "./gitlab-server.fixture.js";

const url = "https://runners.example.com/webhooks/gitlab/harbour";
const hooks = "/projects/380/hooks";
const secret = "not-a-real-secret";
const aHook = (rest: object = {}) => ({
  ...{ id: 5, url, job_events: true, pipeline_events: true, push_events: false, alert_status: "executable" },
  ...rest,
});

async function world(): Promise<
  World & { readonly keep: (scope?: Scope, webhook?: Partial<Connection["webhook"]>) => ReturnType<World["forge"]["ensureWebhook"]> }
> {
  const started = await startWorld();
  started.secrets.set("env:SECRET", secret);
  return {
    ...started,
    keep: (scope, webhook = {}) =>
      started.forge.ensureWebhook({ ...started.connection(scope), webhook: { secret: "env:SECRET", register: true, ...webhook } }, url),
  };
}

it.each<[string, Scope, string]>([
  ["project", { projectId: 380 }, hooks],
  ["group", { groupId: 9 }, "/groups/9/hooks"],
])("makes the webhook of a %s once", async (_what, scope, path) => {
  const { gitlab, keep } = await world();
  gitlab.script(`GET ${path}`, { json: [aHook({ id: 4, url: "https://elsewhere.example.com" })] }, { json: [aHook()] });
  gitlab.script(`POST ${path}`, { status: 201, json: aHook() });
  expect(await keep(scope)).toEqual({ state: "made" });
  expect(await keep(scope)).toEqual({ state: "kept" });
  expect(gitlab.seen.map(({ method }) => method)).toEqual(["GET", "POST", "GET"]);
  expect(gitlab.seen[1]?.body).toEqual({ url, job_events: true, pipeline_events: true, push_events: false, token: secret });
});

it("looks for the webhook again when it is not known whether it was made", async () => {
  const { gitlab, keep } = await world();
  gitlab.script(`GET ${hooks}`, { json: [] }, { json: [aHook()] });
  gitlab.script(`POST ${hooks}`, "reset");
  gitlab.script(`PUT ${hooks}/5`, { json: aHook() });
  await expect(keep()).rejects.toMatchObject({ code: "FR-FORGE-UNREACHABLE" });
  expect(await keep()).toEqual({ state: "kept" });
  expect(gitlab.seen.filter(({ method }) => method === "POST")).toHaveLength(1);
});

it("corrects what was changed, and gives a new secret", async () => {
  const { gitlab, secrets, keep } = await world();
  gitlab.script(`GET ${hooks}`, { json: [aHook({ job_events: false })] }, { json: [aHook()] });
  gitlab.script(`PUT ${hooks}/5`, { json: aHook() });
  expect(await keep()).toEqual({ state: "changed" });
  secrets.set("env:SECRET", "another");
  expect(await keep()).toEqual({ state: "changed" });
  expect(gitlab.seen.at(-1)?.body).toMatchObject({ url, job_events: true, token: "another" });
});

it("says so when GitLab goes on not calling it", async () => {
  const { gitlab, keep } = await world();
  gitlab.script(`GET ${hooks}`, { json: [aHook({ alert_status: "disabled" })] });
  gitlab.script(`PUT ${hooks}/5`, { json: aHook({ alert_status: "disabled" }) });
  gitlab.script(`GET ${hooks}/5`, {
    json: aHook({ alert_status: "temporarily_disabled", disabled_until: "2026-02-03T04:05:06.000Z" }),
  });
  gitlab.script(`POST ${hooks}/5/test/job_events`, { status: 422, json: { message: "Hook execution failed" } });
  expect(await keep()).toMatchObject({
    state: "muted",
    message: expect.stringMatching(/\(temporarily_disabled until 2026-02-03T04:05:06.000Z\).*Hook execution failed/),
  });
});

it("asks for a secret where signing tokens are taken and not used", async () => {
  const { gitlab, secrets, keep } = await world();
  secrets.set("env:SIGNING", "whsec_bm90LXRoZS1yaWdodC1zaWduaW5nLXRva2Vu");
  gitlab.script(`GET ${hooks}`, { json: [] });
  gitlab.script(`POST ${hooks}`, { status: 201, json: aHook() });
  expect(await keep(undefined, { signingToken: "env:SIGNING" })).toMatchObject({
    state: "not-allowed",
    message: expect.stringContaining("webhook.secret"),
  });
});

it.each<[string, Scope, number]>([
  ["the token may not", { projectId: 380 }, 403],
  ["the group has no webhooks", { groupId: 9 }, 404],
  ["the scope has none at all", { instance: true }, 0],
])("tells what to do by hand where %s", async (_what, scope, status) => {
  const { gitlab, keep } = await world();
  for (const path of [hooks, "/groups/9/hooks"]) gitlab.script(`GET ${path}`, { status: status || 500, json: { message: "no" } });
  const kept = await keep(scope);
  expect(kept).toMatchObject({
    state: "not-allowed",
    message: expect.stringContaining(`add the URL ${url} with the secret token that env:SECRET`),
  });
  expect(JSON.stringify(kept)).not.toContain(secret);
});

it("makes a webhook that the embedded GitLab calls, and wakes it when it was muted", async () => {
  const { api, gitlab, push } = await startTestGitLab();
  const receiver = await startReceiver();
  const { projectId } = await push("root/wharf", { ".gitlab-ci.yml": oneJob });
  const { forge, secrets, connection } = await world();
  secrets.set("env:TOKEN", gitlab.token);
  const real: Connection = { ...connection({ projectId }), url: gitlab.url, webhook: { secret: "env:SECRET", register: true } };
  const keep = () => forge.ensureWebhook(real, receiver.url);
  expect(await keep()).toEqual({ state: "made" });
  expect(await keep()).toEqual({ state: "kept" });

  const listed = await api("GET", `/projects/${projectId}/hooks`);
  expect(listed.body).toMatchObject([{ url: receiver.url, job_events: true, push_events: false, token_present: true }]);
  const test = `/projects/${projectId}/hooks/${listed.body[0].id}/test/job_events`;
  receiver.answer = () => 500;
  for (let n = 0; n < 4; n++) await api("POST", test);
  expect(await keep()).toMatchObject({ state: "muted" });
  receiver.answer = () => 200;
  expect(await keep()).toEqual({ state: "re-enabled" });
  expect(receiver.received.at(-1)?.headers["x-gitlab-token"]).toBe(secret);
});
