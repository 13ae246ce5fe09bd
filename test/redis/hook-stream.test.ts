import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { expect, it } from "vitest";
import { until } from "../e2e/until.fixture.js";
import { type PostedHook, refusals, startHooks } from "./hook-stream.fixture.js";

/** Webhooks that were posted every 50 ms: `+` was taken, `-` refused, `.` cut. */
const posted = (marks: string): PostedHook[] =>
  [...marks].map((mark, n) => ({ at: 50 * n, answer: mark === "+" ? 200 : mark === "-" ? 503 : "cut" }));

it("a refusal lasts from the first webhook that was refused to the next one that was taken, or to the last", () => {
  expect(refusals(posted("++--+.+-."))).toEqual([
    { from: 100, to: 200, hooks: 2, answers: [503] },
    { from: 250, to: 300, hooks: 1, answers: ["cut"] },
    { from: 350, to: 400, hooks: 2, answers: [503, "cut"] },
  ]);
  expect(refusals(posted("+++"))).toEqual([]);
  expect(refusals([])).toEqual([]);
});

it("webhooks are posted on while some hang, each over its own connection, and are told in the order in which they were posted", async () => {
  let asked = 0;
  let connections = 0;
  let hanging: Socket | undefined;
  const server = createServer((request, response) => {
    asked += 1;
    const status = asked === 3 ? 503 : 200;
    // The second one hangs until others were answered.
    if (asked === 2) hanging = request.socket;
    else request.on("end", () => response.writeHead(status).end()).resume();
  });
  server.on("connection", () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const hooks = startHooks({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, secret: "s" });
  try {
    await until("some were answered", () => hooks.posted().length >= 4);
  } finally {
    hanging?.destroy();
    await hooks.stop();
    server.close();
  }
  const told = hooks.posted();
  expect(told.slice(0, 4).map(({ answer }) => answer)).toEqual([200, "cut", 503, 200]);
  expect(told.map(({ at }) => at)).toEqual(told.map(({ at }) => at).sort((a, b) => a - b));
  expect(connections).toBe(asked);
});
