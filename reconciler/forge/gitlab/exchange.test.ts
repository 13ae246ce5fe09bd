import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { HurriedClock } from "../../model/hurried-clock.fixture.js";
import { createTransport, type ExchangeBounds, type HttpRequest } from "./exchange.js";
import { startScriptedGitLab } from "./gitlab-server.fixture.js";

const bounds: ExchangeBounds = { timeoutMs: 10_000, maxBytes: 1_000, larger: "refuse", signal: new AbortController().signal };
const get = (url: string): HttpRequest => ({ method: "GET", url, headers: {}, body: undefined });

async function setUp() {
  const gitlab = await startScriptedGitLab();
  const clock = new HurriedClock(10_000);
  const transport = createTransport(clock);
  onTestFinished(async () => {
    transport.stop();
    await gitlab.stop();
  });
  return { gitlab, clock, transport };
}

/** The address of a port that nothing listens on. */
async function deadUrl(scheme: string): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `${scheme}://127.0.0.1:${port}/`;
}

describe("exchanging a request for an answer", () => {
  it("gives status, headers and text, however it came in pieces", async () => {
    const { gitlab, transport } = await setUp();
    gitlab.script("GET /x", { status: 203, headers: { "x-next-page": "2", "set-cookie": "a=1" }, text: "grüße", type: "text/plain" });
    expect(await transport.exchange(get(`${gitlab.url}/x`), bounds)).toMatchObject({
      status: 203,
      headers: { "x-next-page": "2", "set-cookie": "a=1", "content-type": "text/plain" },
      text: "grüße",
      leftOutBytes: 0,
    });
  });

  it("sends a body with its length in bytes", async () => {
    const { gitlab, transport } = await setUp();
    gitlab.script("PUT /x", { json: {} });
    await transport.exchange({ method: "PUT", url: `${gitlab.url}/x`, headers: { "x-y": "z" }, body: '{"a":"ü"}' }, bounds);
    expect(gitlab.seen).toMatchObject([
      { method: "PUT", body: { a: "ü" }, headers: { "x-y": "z", "content-length": "10", "accept-encoding": "identity" } },
    ]);
  });

  it("refuses or cuts what is too large", async () => {
    const { gitlab, transport } = await setUp();
    gitlab.script("GET /x", { text: `${"a".repeat(999)}ö${"z".repeat(999)}`, type: "text/plain" });
    await expect(transport.exchange(get(`${gitlab.url}/x`), bounds)).rejects.toMatchObject({ name: "AnswerTooLarge", limit: 1_000 });
    const cut = await transport.exchange(get(`${gitlab.url}/x`), { ...bounds, larger: "keep-end", maxBytes: 999 });
    expect(cut).toMatchObject({ text: "z".repeat(999), leftOutBytes: 1_001 });
  });

  it.each(["http", "https"])("knows that nothing was sent where nobody listens (%s)", async (scheme) => {
    const { transport } = await setUp();
    const refused = transport.exchange({ ...get(await deadUrl(scheme)), method: "POST" }, bounds);
    await expect(refused).rejects.toMatchObject({ name: "NoAnswer", sent: false, reason: "it cannot be reached (ECONNREFUSED)" });
  });

  it("knows that nothing was sent where no TLS is spoken", async () => {
    const { gitlab, transport } = await setUp();
    const refused = transport.exchange({ ...get(gitlab.url.replace("http:", "https:")), method: "POST" }, bounds);
    await expect(refused).rejects.toMatchObject({ name: "NoAnswer", sent: false });
    expect(gitlab.seen).toHaveLength(0);
  });

  it.each(["reset", "cut"] as const)("does not know whether a request was seen when the connection is %s", async (reply) => {
    const { gitlab, transport } = await setUp();
    gitlab.script("POST /x", reply);
    const refused = transport.exchange({ ...get(`${gitlab.url}/x`), method: "POST" }, bounds);
    await expect(refused).rejects.toMatchObject({ name: "NoAnswer", sent: true, reason: "the connection broke (ECONNRESET)" });
  });

  it("does not know it after a time-out either", async () => {
    const { gitlab, clock, transport } = await setUp();
    gitlab.script("GET /x", "hang");
    const refused = expect(transport.exchange(get(`${gitlab.url}/x`), bounds)).rejects.toMatchObject({
      reason: "no answer within 10 s",
      sent: true,
    });
    await gitlab.untilSeen(1);
    await clock.advance(10_000);
    await refused;
  });

  it("ends with its signal's reason, before and while it runs", async () => {
    const { gitlab, clock, transport } = await setUp();
    gitlab.script("GET /x", "hang");
    const controller = new AbortController();
    const ended = expect(transport.exchange(get(`${gitlab.url}/x`), { ...bounds, signal: controller.signal })).rejects.toThrow("enough");
    await gitlab.untilSeen(1);
    controller.abort(new Error("enough"));
    await ended;
    await expect(transport.exchange(get(`${gitlab.url}/x`), { ...bounds, signal: controller.signal })).rejects.toThrow("enough");
    expect(gitlab.seen).toHaveLength(1);
    expect(clock.waiting).toBe(0);
  });
});
