import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { Lanes } from "./control/lanes.js";
import { seededRandom } from "./embedded/host/seeded-random.js";
import { createGitLabForge } from "./forge/gitlab/gitlab-forge.js";
import { connectionSchema } from "./model/connection.js";
import { ManualClock } from "./model/manual-clock.fixture.js";
import { until } from "./model/until.fixture.js";
import { callGraceMs, stopLoop } from "./stop-loop.js";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A GitLab that notes what it is asked, and answers only when it is told to. */
async function silentGitLab() {
  const answers: (() => void)[] = [];
  const server = createServer((_request, response) => {
    answers.push(() => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const connection = connectionSchema.parse({
    name: "gitlab",
    kind: "gitlab",
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: "env:TOKEN",
    scope: { instance: true },
  });
  return { answers, connection };
}

/** A loop whose one call is under way, with the real client. */
async function underWay(clock: ManualClock) {
  const { answers, connection } = await silentGitLab();
  const forge = createGitLabForge({ clock, random: seededRandom(1), resolveSecret: () => "glpat-not-a-real-token" });
  ends.push(() => forge.stop());
  const outcomes: string[] = [];
  const lanes = new Lanes(1, 1);
  lanes.offer("forge", async () => {
    outcomes.push(await forge.deleteRunner(connection, 7).catch((error: Error) => error.message));
  });
  await until(() => answers.length > 0, "GitLab was asked");
  return { answers, outcomes, forge, loop: { stop: () => lanes.drain() } };
}

it("waits for a call that is answered within the grace", async () => {
  const clock = new ManualClock();
  const { answers, outcomes, forge, loop } = await underWay(clock);
  const stopped = stopLoop(clock, loop, [forge]);
  await clock.advance(callGraceMs - 1);
  answers[0]?.();
  await stopped;
  expect(outcomes).toEqual(["deleted"]);
});

it("ends a call that GitLab does not answer, and then has stopped", async () => {
  const clock = new ManualClock();
  const { outcomes, forge, loop } = await underWay(clock);
  const stopped = stopLoop(clock, loop, [forge]);
  await clock.advance(callGraceMs);
  await stopped;
  expect(outcomes).toEqual([expect.stringMatching(/deleting runner 7.*not done, because the service stops/)]);
});
