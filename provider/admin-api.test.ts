import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deleteDeclared, getDeclared, putDeclared, readChecks } from "./admin-api.js";
import { settingsFrom } from "./settings.js";

describe("an address that is not, or not quite, the admin API", () => {
  let server: Server;
  let answers: (path: string) => { readonly status: number; readonly body: unknown };
  const api = () => ({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, token: "t" });

  beforeEach(async () => {
    server = createServer((request, response) => {
      const { status, body } = answers(request.url ?? "");
      response.writeHead(status, { "content-type": "application/json" }).end(typeof body === "string" ? body : JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const nothing = { status: 404, body: { code: "FR-NOT-FOUND", message: "there is nothing at this address" } };

  it("does not look like a service without records", async () => {
    answers = () => nothing;
    await expect(getDeclared(api(), "host", "a")).rejects.toMatchObject({
      code: "FR-NOT-FOUND",
      message: expect.stringContaining("nothing at this address"),
    });
  });

  it("a record is gone when the list of its kind does not have it", async () => {
    answers = (path) => (path === "/v1/hosts" ? { status: 200, body: { items: [{ spec: { name: "b" } }] } } : nothing);
    expect(await getDeclared(api(), "host", "a")).toBeUndefined();
    await expect(getDeclared(api(), "host", "b")).rejects.toMatchObject({ code: "FR-CONFLICT", retryable: true });
  });

  it("what a newer service keeps beside is taken as it is", async () => {
    const record = { spec: { name: "a", later: 1 }, generation: 2, order: 0, declaredAt: 1, more: true };
    answers = () => ({ status: 200, body: record });
    expect(await getDeclared(api(), "image", "a")).toEqual({ spec: record.spec, generation: 2, managedBy: undefined });
  });

  it.each<[string, number, unknown]>([
    ["a proxy's page", 502, "<html>"],
    ["another service's answer", 200, { hello: "world" }],
    ["another service's refusal", 403, { error: "no" }],
  ])("%s points to the address", async (_what, status, body) => {
    answers = () => ({ status, body });
    const expected = { code: "FR-CONFIG", message: expect.stringContaining(`HTTP ${status}, not as FireRunner answers`) };
    await expect(getDeclared(api(), "host", "a")).rejects.toMatchObject(expected);
    await expect(readChecks(api())).rejects.toMatchObject(expected);
    if (status !== 200) await expect(deleteDeclared(api(), "host", "a")).rejects.toMatchObject(expected);
  });

  it("a refusal keeps its code and says what was tried", async () => {
    answers = () => ({ status: 409, body: { code: "FR-REFERENCED", message: 'used by pool "p"', details: { usedBy: ['pool "p"'] } } });
    await expect(deleteDeclared(api(), "image", "a")).rejects.toMatchObject({
      code: "FR-REFERENCED",
      message: 'removing image "a" was refused: used by pool "p"',
      details: { usedBy: ['pool "p"'] },
    });
  });

  it("nobody there: the URL and what to look at", async () => {
    const { url, token } = api();
    await new Promise((resolve) => server.close(resolve));
    await expect(putDeclared({ url, token }, "image", { name: "a" } as never)).rejects.toMatchObject({
      code: "FR-CONFIG",
      retryable: true,
      message: expect.stringMatching(/PUT http:.*\/v1\/images\/a got no answer \(.*ECONNREFUSED.*\): is the service running/),
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
});

describe("the settings", () => {
  const settings = (config: Record<string, unknown>, env: Record<string, string> = {}) => settingsFrom((key) => config[key], env);
  const configured = { "firerunner:endpoint": "http://c:1/", "firerunner:token": "ct" };
  const env = { FIRERUNNER_URL: "http://e:1", FIRERUNNER_TOKEN: "et" };

  it("are the configuration's, then the environment's, each for itself", () => {
    expect(settings(configured, env)).toEqual({ url: "http://c:1", token: "ct" });
    expect(settings({}, env)).toEqual({ url: "http://e:1", token: "et" });
    expect(settings({ "firerunner:endpoint": "http://c:1" }, env)).toEqual({ url: "http://c:1", token: "et" });
  });

  it.each(["c:1", "ftp://c", "http://user:secret@c"])("%s is no address", (endpoint) => {
    expect(() => settings({ ...configured, "firerunner:endpoint": endpoint })).toThrow(
      /^firerunner:endpoint is refused: must be an http or https URL/,
    );
  });

  it("say what is missing and how it is set", () => {
    expect(() => settings({ "firerunner:endpoint": "http://c" })).toThrow(
      "its token: `pulumi config set --secret firerunner:token`, or FIRERUNNER_TOKEN",
    );
  });
});
