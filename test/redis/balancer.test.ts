import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { isDeepStrictEqual } from "node:util";
import { afterEach, it } from "vitest";
import { until } from "../e2e/until.fixture.js";
import { type Backend, startBalancer } from "./balancer.fixture.js";

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A replica that answers with its name, and to the question whether it is ready with a status, or not at all. */
async function startBackend(name: string): Promise<Backend & { ready: number | undefined }> {
  const backend = { port: 0, readyUrl: "", token: "t", ready: 200 as number | undefined };
  const server = createServer((request, response) => {
    if (request.url !== "/ready") return void response.end(name);
    if (backend.ready !== undefined) response.writeHead(backend.ready).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  backend.port = (server.address() as AddressInfo).port;
  backend.readyUrl = `http://127.0.0.1:${backend.port}/ready`;
  return backend;
}

it("connections go to who is ready; to who is late only while nobody is; and to nobody that says that it is not ready", async () => {
  const [a, b] = [await startBackend("a"), await startBackend("b")];
  const balancer = await startBalancer();
  ends.push(() => balancer.stop());
  for (const backend of [a, b]) balancer.add(backend);
  // Each over a connection of its own: one that stays goes where it went.
  const ask = () =>
    new Promise<string>((resolve) => {
      get({ port: balancer.port, host: "127.0.0.1", agent: false }, (answer) => text(answer).then(resolve, () => resolve("nobody"))).on(
        "error",
        () => resolve("nobody"),
      );
    });
  const becomes = (...wanted: string[]) =>
    until(`answers come from ${wanted}`, async () => {
      const told = new Set([await ask(), await ask(), await ask()]);
      return isDeepStrictEqual([...told].sort(), wanted);
    });
  await becomes("a", "b");
  a.ready = undefined;
  await becomes("b");
  b.ready = 503;
  await becomes("a");
  a.ready = 503;
  await becomes("nobody");
  b.ready = 200;
  await becomes("b");
});
