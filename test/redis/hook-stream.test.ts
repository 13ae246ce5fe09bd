import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { until } from "../e2e/until.fixture.js";
import { type PostedHook, refusals, startHooks } from "./hook-stream.fixture.js";

/** Webhooks that were posted every 50 ms: `+` was taken, `-` was not. */
const posted = (marks: string): PostedHook[] => [...marks].map((mark, n) => ({ at: 50 * n, taken: mark === "+" }));

it("a refusal lasts from the first webhook that was refused to the next one that was taken, or to the last", () => {
  expect(refusals(posted("++--+-+--"))).toEqual([
    { from: 100, to: 200, hooks: 2 },
    { from: 250, to: 300, hooks: 1 },
    { from: 350, to: 400, hooks: 2 },
  ]);
  expect(refusals(posted("+++"))).toEqual([]);
  expect(refusals([])).toEqual([]);
});

it("webhooks are posted on while some hang, each over its own connection, and are told in the order in which they were posted", async () => {
  let asked = 0;
  let connections = 0;
  const server = createServer((request, response) => {
    asked += 1;
    // The second one is never answered.
    if (asked !== 2) request.on("end", () => response.writeHead(asked === 3 ? 503 : 200).end()).resume();
  });
  server.on("connection", () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const hooks = startHooks({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, secret: "s" });
  try {
    await until("some were answered", () => hooks.posted().length >= 4);
  } finally {
    await hooks.stop();
    server.close();
  }
  const told = hooks.posted();
  expect(told.slice(0, 4).map(({ taken }) => taken)).toEqual([true, false, false, true]);
  expect(told.map(({ at }) => at)).toEqual(told.map(({ at }) => at).sort((a, b) => a - b));
  expect(connections).toBe(asked);
});
