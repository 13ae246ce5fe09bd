import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import type { FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FireRunnerError } from "../model/errors.js";
import { serviceSchema } from "../model/service.js";
import { until } from "../model/until.fixture.js";
import { type BoundListener, bindListener } from "./bound-listener.js";
import { type ListenerOptions, type RunningListener, startListener } from "./listener.js";
import { keptLog, onLoopback } from "./listeners.fixture.js";
import { firstPair, secondPair } from "./tls-pairs.fixture.js";

let running: RunningListener | undefined;
let lines: string[];

async function start(options: Partial<ListenerOptions> = {}): Promise<RunningListener> {
  const log = keptLog();
  lines = log.lines;
  running = await startListener({ name: "test", listener: onLoopback, logger: log.logger, register: routes, ...options });
  return running;
}

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

let release: () => void = () => undefined;

function routes(app: FastifyInstance): void {
  app.get("/text", () => "text");
  app.post("/echo", (request) => request.body);
  app.get("/fault", () => {
    throw new Error("select * from secrets in /var/lib with token=abcdef");
  });
  app.get("/refusal", () => {
    throw new FireRunnerError("FR-CONFLICT", "read it again", { details: { at: 3 } });
  });
  app.get("/slow", () => new Promise((resolve) => (release = () => resolve("done"))));
}

describe("where a listener may bind", () => {
  const parse = (listener: object) => serviceSchema.safeParse({ owner: "me", listeners: { admin: listener } });

  it.each(["0.0.0.0:8472", "[::]:8472", "192.0.2.7:8472", "example.com:8472", "[2001:db8::1]:80"])(
    "%s needs TLS or insecure: true",
    (listen) => {
      const refused = parse({ listen });
      expect(refused.success).toBe(false);
      expect(refused.error?.issues[0]?.message).toContain("insecure: true");
      expect(parse({ listen, insecure: true }).success).toBe(true);
      expect(parse({ listen, tls: { certFile: "a", keyFile: "b" } }).success).toBe(true);
      expect(parse({ listen, insecure: "yes" }).success).toBe(false);
    },
  );

  it.each(["127.0.0.1:0", "127.8.8.8:80", "localhost:80", "[::1]:80"])("%s needs nothing", (listen) => {
    expect(parse({ listen }).success).toBe(true);
  });

  it("an address in use is FR-CONFIG and names it", async () => {
    const { url } = await start();
    const listener = { ...onLoopback, listen: new URL(url).host };
    await expect(startListener({ name: "other", listener, logger: keptLog().logger, register: routes })).rejects.toMatchObject({
      code: "FR-CONFIG",
      message: expect.stringContaining(listener.listen),
    });
  });
});

describe("an address that is taken before there is anybody to answer", () => {
  const bind = () => bindListener({ name: "test", listener: onLoopback, logger: keptLog().logger });

  it("has what arrives meanwhile answered later", async () => {
    const bound = await bind();
    const early = Promise.all(["/text", "/nothing"].map((path) => fetch(bound.url + path)));
    await arrived(bound, 2);
    const { url } = await start({ bound });
    expect(url).toBe(bound.url);
    expect((await early).map(({ status }) => status)).toEqual([200, 404]);
    expect((await fetch(`${url}/text`)).status).toBe(200);
  });

  it("is free again when it is given up, and whoever waits is cut off", async () => {
    const bound = await bind();
    const early = fetch(`${bound.url}/text`);
    early.catch(() => undefined);
    await arrived(bound, 1);
    await bound.stop();
    await expect(early).rejects.toThrow();
    await expect(fetch(`${bound.url}/text`)).rejects.toThrow();
  });

  it("is given up when the routes cannot be added", async () => {
    const bound = await bind();
    const register = () => {
      throw new Error("no routes");
    };
    await expect(start({ bound, register })).rejects.toThrow("no routes");
    await expect(fetch(`${bound.url}/text`)).rejects.toThrow();
  });

  async function arrived({ server }: BoundListener, count: number): Promise<void> {
    let requests = 0;
    server.on("request", () => {
      requests += 1;
    });
    await until(() => requests === count, "the requests have arrived");
  }
});

describe("errors", () => {
  it("a refusal is told in full, a fault only by its code; the log has its cause without secrets", async () => {
    const { url } = await start();
    const refusal = await fetch(`${url}/refusal`);
    expect([refusal.status, await refusal.json()]).toEqual([412, { code: "FR-CONFLICT", message: "read it again", details: { at: 3 } }]);
    const fault = await fetch(`${url}/fault`);
    expect([fault.status, await fault.json()]).toEqual([500, { code: "FR-INTERNAL", message: expect.not.stringContaining("select") }]);
    expect(lines.join("")).toContain("select * from secrets");
    expect(lines.join("")).not.toContain("abcdef");
  });

  it.each([
    ["an unknown address", "/nothing", {}, 404],
    ["a body beyond the limit", "/echo", { method: "POST", body: JSON.stringify("x".repeat(70_000)) }, 413],
    ["broken JSON", "/echo", { method: "POST", body: "{" }, 400],
    ["a prototype in JSON", "/echo", { method: "POST", body: '{"__proto__": {"a": 1}}' }, 400],
    ["a broken address", "/%E0%A4%A", {}, 400],
  ])("%s", async (_name, path, init, status) => {
    const { url } = await start();
    const response = await fetch(url + path, { headers: { "content-type": "application/json" }, ...init });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code: expect.stringMatching(/^FR-/), message: expect.any(String) });
  });

  it("what is not HTTP is answered 400 and cut off", async () => {
    const { url } = await start();
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    let answer = "";
    socket.on("data", (data) => {
      answer += data;
    });
    socket.write("nonsense\r\n\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
    expect(answer).toContain("400 Bad Request");
  });
});

describe("stopping", () => {
  it("lets what is being answered end, and takes nothing new", async () => {
    const { url, stop } = await start();
    const slow = fetch(`${url}/slow`).then((response) => response.text());
    const askedBefore = release;
    await until(() => release !== askedBefore, "the slow request has arrived");
    const stopped = stop();
    release();
    expect(await slow).toBe("done");
    await stopped;
    await expect(fetch(`${url}/text`)).rejects.toThrow();
  });

  it("cuts off what does not end in its time", async () => {
    const { url, stop } = await start({ stopTimeoutMs: 50 });
    const slow = fetch(`${url}/slow`);
    slow.catch(() => undefined);
    const askedBefore = release;
    await until(() => release !== askedBefore, "the slow request has arrived");
    await stop();
    await expect(slow).rejects.toThrow();
  });
});

describe("TLS", () => {
  let directory: string;
  let tls: { certFile: string; keyFile: string };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "fr-tls-"));
    tls = { certFile: join(directory, "tls.crt"), keyFile: join(directory, "tls.key") };
    write(firstPair);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function write(pair: { cert: string; key: string }): void {
    writeFileSync(tls.certFile, pair.cert);
    writeFileSync(tls.keyFile, pair.key);
  }

  function servedName(url: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connectTls({ host: "127.0.0.1", port: Number(new URL(url).port), rejectUnauthorized: false }, () => {
        const { subject } = socket.getPeerCertificate();
        socket.destroy();
        resolve(String(subject.CN));
      });
      socket.on("error", reject);
    });
  }

  it("serves the pair, and a changed one without a restart", async () => {
    const { url } = await start({ listener: { ...onLoopback, tls }, tlsIntervalMs: 10 });
    expect(url).toMatch(/^https:/);
    expect(await servedName(url)).toBe("first.test");
    write(secondPair);
    await until(async () => (await servedName(url)) === "second.test", "the second certificate is served");
  });

  it("goes on with the old pair while the new one is half written, and says so once", async () => {
    const { url } = await start({ listener: { ...onLoopback, tls }, tlsIntervalMs: 10 });
    writeFileSync(tls.certFile, secondPair.cert);
    await until(() => lines.some((line) => line.includes("cannot be used")), "the mismatch is told");
    expect(await servedName(url)).toBe("first.test");
    write(secondPair);
    await until(async () => (await servedName(url)) === "second.test", "the second certificate is served");
    expect(lines.filter((line) => line.includes("cannot be used"))).toHaveLength(1);
    expect(lines.join("")).not.toContain("PRIVATE KEY");
  });

  it.each([
    ["is missing", () => rmSync(tls.keyFile)],
    ["is not the certificate's", () => writeFileSync(tls.keyFile, secondPair.key)],
    ["is no key", () => writeFileSync(tls.keyFile, "nothing")],
  ])("does not start when the key %s", async (_name, spoil) => {
    spoil();
    await expect(start({ listener: { ...onLoopback, tls } })).rejects.toMatchObject({
      code: "FR-CONFIG",
      message: expect.stringContaining(tls.keyFile),
    });
  });

  it("speaks nothing but TLS then", async () => {
    const { url } = await start({ listener: { ...onLoopback, tls } });
    await expect(fetch(`${url.replace("https", "http")}/text`)).rejects.toThrow();
  });
});
