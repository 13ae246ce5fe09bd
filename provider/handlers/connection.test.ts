import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HurriedClock } from "../../reconciler/model/hurried-clock.fixture.js";
import { connectionHandler } from "./connection.js";
import type { Bag, Context } from "./handler.js";

const inputs: Bag = { name: "main", kind: "gitlab", url: "https://gitlab.example.com", token: "env:T", scope: { instance: true } };
const webhookUrl = "https://ci.example.com/webhooks/gitlab/main";
/** What a service answers that has looked at the token (`""` for a good one), or not yet; and at the webhook. */
const status = (token?: string, hook?: string) => ({
  name: "main",
  webhookUrl,
  usable: token === undefined ? null : token === "",
  webhookRegistered: hook === undefined ? null : hook === "",
  conditions: [
    ...(token === undefined ? [] : [{ type: "Usable", status: token === "", reason: "It", message: token }]),
    ...(hook === undefined ? [] : [{ type: "WebhookRegistered", status: hook === "", reason: "It", message: hook }]),
  ],
});

/** A service of which each answer about a connection's status is told here; undefined is one that has no such page. */
describe("what is seen of a connection", () => {
  let server: Server;
  let statuses: (object | undefined)[];
  let check: { readonly ok: boolean; readonly message?: string };
  let lines: string[];
  let context: Context;

  beforeEach(async () => {
    statuses = [];
    check = { ok: true };
    lines = [];
    server = createServer((request, response) => {
      const answer = (code: number, body: object) =>
        response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
      if (request.url === "/ready") return answer(200, { checks: [{ name: "connection/main", ...check }] });
      if (request.method === "PUT") return answer(200, { spec: { ...inputs, webhook: {} }, generation: 1 });
      const [told] = statuses.length > 1 ? statuses.splice(0, 1) : statuses;
      return told === undefined ? answer(404, { code: "FR-NOT-FOUND", message: "nothing here" }) : answer(200, told);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { signal } = new AbortController();
    context = { api: { url, token: "t" }, clock: new HurriedClock(), signal, say: (line) => lines.push(line) };
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const created = async (more: Bag = {}): Promise<Bag> => (await connectionHandler.create(context, { ...inputs, ...more })).outs;

  it("is where its webhook goes, as soon as the service has looked at the token", async () => {
    statuses = [status(), status(), status("")];
    expect(await created()).toMatchObject({ webhookUrl, webhookPath: "/webhooks/gitlab/main", usable: true, unusableReason: "" });
    expect(statuses).toHaveLength(1);
    expect(lines).toEqual([]);
  });

  it("a token that may too little is declared with a warning", async () => {
    statuses = [status(), status("the token lacks the scope create_runner")];
    const unusableReason = "the token lacks the scope create_runner";
    expect(await created()).toMatchObject({ usable: false, unusableReason });
    expect(lines).toEqual([`warning: connection "main" is declared, but cannot be used: ${unusableReason}`]);
  });

  it("a webhook that cannot be registered is waited for and warned of, and the connection is usable", async () => {
    statuses = [status(""), status("", "the token may not do it")];
    expect(await created({ webhook: { secret: "env:S", register: true } })).toMatchObject({ usable: true });
    expect(lines).toEqual(['warning: the webhook of connection "main" is not registered: the token may not do it']);
  });

  it("a token of which the forge does not tell, or that nobody looks at in time, is as the forge answered", async () => {
    statuses = [{ ...status("nobody knows"), usable: null }];
    expect(await created()).toMatchObject({ webhookUrl, usable: true });
    statuses = [{ ...status(), webhookUrl: null }];
    expect(await created()).toMatchObject({ webhookUrl: "", usable: true });
  });

  it("a forge that does not answer is told at once", async () => {
    statuses = [status()];
    check = { ok: false, message: "no answer" };
    expect(await created()).toMatchObject({ webhookUrl, usable: false, unusableReason: "no answer" });
  });

  it("of an older service is its path and whether the forge answered", async () => {
    check = { ok: false, message: "401" };
    expect(await created()).toMatchObject({ webhookUrl: "", webhookPath: "/webhooks/gitlab/main", usable: false, unusableReason: "401" });
    check = { ok: true };
    expect(await created()).toMatchObject({ usable: true, unusableReason: "" });
  });

  it("an answer of something else keeps what was written", async () => {
    statuses = [{ hello: "world" }];
    await expect(created()).rejects.toMatchObject({ id: "main", cause: { code: "FR-CONFIG" }, outs: { generation: 1 } });
  });
});
