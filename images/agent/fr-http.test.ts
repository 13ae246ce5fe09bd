import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findTool } from "./agent.fixture.js";

const tls = (name: string) => fileURLToPath(new URL(`../../test/fixtures/tls/${name}`, import.meta.url));
const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** The two commands that an agent may find as `fr-http`; the one for images needs curl. */
const shims = [
  { name: "for the embedded host", command: [process.execPath, file("fr-http.mjs")], missing: false },
  { name: "for images", command: ["sh", file("fr-http")], missing: !has("curl") },
] as const;

let directory: string;
let servers: Server[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fr-http-"));
});

afterEach(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  servers = [];
  rmSync(directory, { recursive: true, force: true });
});

async function serve(answer: RequestListener, secure = false): Promise<string> {
  const server = secure
    ? createTlsServer({ cert: readFileSync(tls("server.crt")), key: readFileSync(tls("server.key")) }, answer)
    : createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `${secure ? "https" : "http"}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const path = (name: string) => join(directory, name);

function write(name: string, text: string): string {
  writeFileSync(path(name), text);
  return path(name);
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe.each(shims)("fr-http $name", ({ command, missing }) => {
  function run(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const [program, ...first] = command;
    const env = { PATH: process.env.PATH ?? "", http_proxy: "http://127.0.0.1:9", https_proxy: "http://127.0.0.1:9" };
    return new Promise((resolve) => {
      execFile(program, [...first, ...args], { env }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
      });
    });
  }

  test.skipIf(missing)("sends headers and body from files and leaves the answer in one", async () => {
    const seen: Record<string, unknown>[] = [];
    const url = await serve((request, response) => {
      void textOf(request).then((body) => {
        const { authorization, "content-type": type } = request.headers;
        seen.push({ method: request.method, url: request.url, authorization, type, body });
        response.writeHead(200).end("action=run\n");
      });
    });
    const headers = write("headers", "Content-Type: text/plain\nAuthorization: Bearer vm-a:secret\n");
    const body = write("body", "vm=vm-a\nnonce=ab\n");
    const ran = await run("POST", `${url}/guest/v1/claim?a=1`, "--header-file", headers, "--body-file", body, "--out", path("out"));
    expect(ran).toEqual({ code: 0, stdout: "200\n", stderr: "" });
    expect(readFileSync(path("out"), "utf8")).toBe("action=run\n");
    expect(seen).toEqual([
      {
        method: "POST",
        url: "/guest/v1/claim?a=1",
        authorization: "Bearer vm-a:secret",
        type: "text/plain",
        body: "vm=vm-a\nnonce=ab\n",
      },
    ]);
  });

  test.skipIf(missing)("prints whatever status was answered, and follows no redirect", async () => {
    let redirected = false;
    const url = await serve((request, response) => {
      if (request.url === "/elsewhere") redirected = true;
      const status = Number(request.url?.slice(1)) || 200;
      response.writeHead(status, status === 302 ? { location: "/elsewhere" } : {}).end("no");
    });
    for (const status of [302, 403, 410, 503]) {
      expect(await run("GET", `${url}/${status}`, "--out", path("out"))).toMatchObject({ code: 0, stdout: `${status}\n` });
    }
    expect(redirected).toBe(false);
  });

  test.skipIf(missing)("prints 000 when no whole answer came", async () => {
    const url = await serve((request, response) => {
      if (request.url === "/half") {
        response.writeHead(200, { "content-length": "100" });
        response.write("half", () => response.destroy());
      } else if (request.url === "/drop") request.socket.destroy();
    });
    for (const call of ["/half", "/drop", "/hang"]) {
      expect(await run("GET", `${url}${call}`, "--out", path("out"), "--timeout", "0.3"), call).toMatchObject({ code: 1, stdout: "000\n" });
    }
  });

  test.skipIf(missing)("trusts the given authority and, without it, not the private one", async () => {
    const url = await serve((_request, response) => response.writeHead(200).end("ok"), true);
    const trusting = await run("GET", url, "--out", path("out"), "--ca", tls("ca.crt"));
    expect(trusting).toMatchObject({ code: 0, stdout: "200\n" });
    expect(await run("GET", url, "--out", path("out"))).toMatchObject({ code: 1, stdout: "000\n" });
  });

  test.skipIf(missing)("says how it is used", async () => {
    for (const args of [[], ["GET"], ["GET", "ftp://x", "--out", "o"], ["GET", "http://x"], ["GET", "http://x", "--what", "o"]]) {
      const { code, stdout, stderr } = await run(...args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain("usage: fr-http METHOD URL");
    }
  });
});

function has(tool: string): boolean {
  try {
    return findTool(tool) !== "";
  } catch {
    return false;
  }
}
