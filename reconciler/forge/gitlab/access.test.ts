import { expect, it } from "vitest";
import { startTestGitLab } from "../../embedded/gitlab/gitlab.fixture.js";
import { startWorld } from "./gitlab-server.fixture.js";

const self = "GET /personal_access_tokens/self";
const runners = "GET /projects/380/runners";
const told = (scopes: readonly string[], rest: object = {}) => ({
  json: { id: 1, scopes, active: true, revoked: false, expires_at: null, ...rest },
});
const refused = (status: number) => ({ status, json: { message: `${status} refused` } });

it.each<[string, readonly string[], readonly string[]]>([
  ["api", ["api"], []],
  ["all three scopes", ["create_runner", "manage_runner", "read_api"], []],
  [
    "reading alone",
    ["read_api"],
    ["the scope create_runner, for making runners", "the scope manage_runner, for pausing and deleting runners"],
  ],
])("judges a token with %s", async (_what, scopes, missing) => {
  const { forge, gitlab, connection } = await startWorld();
  gitlab.script(self, told(scopes));
  gitlab.script(runners, { json: [] });
  expect(await forge.checkAccess(connection(), false)).toEqual({ ok: missing.length === 0, missing });
});

it("asks for the scope that ends jobs where jobs are to be ended", async () => {
  const { forge, gitlab, connection } = await startWorld();
  const lesser = ["create_runner", "manage_runner", "read_api"];
  gitlab.script(self, told(lesser), told(["api"]));
  gitlab.script(runners, { json: [] });
  const missing = ["the scope api, for cancelling and retrying jobs whose microVM is lost (onVmLoss)"];
  expect(await forge.checkAccess(connection(), true)).toEqual({ ok: false, missing });
  expect(await forge.checkAccess(connection(), true)).toEqual({ ok: true, missing: [] });
});

it("tells when the token expires, and that one that is revoked is of no use", async () => {
  const { forge, gitlab, connection } = await startWorld();
  gitlab.script(self, told(["api"], { expires_at: "2027-03-01" }), told(["api"], { active: false, revoked: true }));
  gitlab.script(runners, { json: [] });
  expect(await forge.checkAccess(connection(), false)).toEqual({ ok: true, missing: [], expiresAt: Date.UTC(2027, 2, 1) });
  expect(await forge.checkAccess(connection(), false)).toMatchObject({ ok: false, missing: [expect.stringContaining("revoked")] });
});

it.each([401, 403, 404])("knows nothing of the scopes of a token whose own description is answered %i", async (status) => {
  const { forge, gitlab, connection } = await startWorld();
  gitlab.script(self, refused(status));
  gitlab.script(runners, { json: [] });
  expect(await forge.checkAccess(connection(), false)).toEqual({ ok: "unknown", missing: [] });
});

it("finds the role missing where the runners may not be listed, and the scope where it is not seen", async () => {
  const { forge, gitlab, connection } = await startWorld();
  gitlab.script(self, told(["api"]));
  gitlab.script(runners, refused(403), refused(404));
  expect(await forge.checkAccess(connection(), false)).toMatchObject({
    ok: false,
    missing: [expect.stringMatching(/Maintainer.*for listing runners/)],
  });
  expect(await forge.checkAccess(connection(), false)).toMatchObject({ ok: false, missing: [expect.stringContaining("may not see it")] });
});

it("throws when the token is refused for everything", async () => {
  const { forge, gitlab, connection } = await startWorld();
  gitlab.script(self, refused(401));
  gitlab.script(runners, refused(401));
  await expect(forge.checkAccess(connection(), false)).rejects.toMatchObject({ code: "FR-FORGE-UNAUTHORIZED" });
});

it("agrees with the embedded GitLab about its tokens", async () => {
  const { api, gitlab, push } = await startTestGitLab();
  const { projectId } = await push("root/wharf", { ".gitlab-ci.yml": "unit:\n  script: [echo hello]\n" });
  const made = await api("POST", "/users/1/personal_access_tokens", { name: "reader", scopes: ["read_api"] });
  const { forge, secrets, connection } = await startWorld();
  const real = { ...connection({ projectId }), url: gitlab.url };
  secrets.set("env:TOKEN", gitlab.token);
  expect(await forge.checkAccess(real, false)).toEqual({ ok: true, missing: [] });
  secrets.set("env:TOKEN", made.body.token);
  expect(await forge.checkAccess(real, false)).toMatchObject({ ok: false, missing: [expect.any(String), expect.any(String)] });
  secrets.set("env:TOKEN", "glpat-wrong");
  await expect(forge.checkAccess(real, false)).rejects.toMatchObject({ code: "FR-FORGE-UNAUTHORIZED" });
});
