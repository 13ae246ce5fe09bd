import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeadLetter } from "../model/dead-letter.js";
import { until } from "../model/until.fixture.js";
import { type CliWorld, startCliWorld } from "./cli-world.fixture.js";

let world: CliWorld;

beforeAll(async () => {
  world = await startCliWorld([]);
  await world.applyFleet();
});
afterAll(() => world.stop());

const key = "webhook:gitlab/0123456789abcdef";
const at = Date.now() - 3_600_000;

/** A letter as the service leaves it, of which this world needs nothing else. */
async function put(change: Partial<DeadLetter> = {}): Promise<void> {
  const value: DeadLetter = {
    action: "webhook",
    target: { connection: "gitlab", bodySha256: "0".repeat(64) },
    tried: "never",
    attempts: 2,
    firstFailureAt: at,
    lastFailureAt: at + 60_000,
    parkedAt: at,
    failures: [{ at: at + 60_000, code: "FR-INTERNAL", message: "reading a webhook failed: no such\nthing" }],
    ...change,
  };
  await world.service.store.commit({ writes: [{ kind: "deadLetter", key, value, expect: "any" }] });
}
const letter = () => world.service.store.get("deadLetter", key)?.value;
const call = (method: string, path: string, body?: string) =>
  fetch(`${world.service.urls.admin}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${world.service.adminToken}`,
      "x-firerunner-by": "ada",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body }),
  });

describe("dead letters", () => {
  it("are listed, shown with their history and counted, as tables and as data", async () => {
    expect(await world.run(["dlq", "ls"])).toEqual({ code: 0, out: "", err: "there are no dead letters\n" });
    await put();
    const { out } = await world.run(["dlq", "ls"]);
    expect(out).toMatch(
      /^KEY +TRIED +ATTEMPTS +FIRST +LAST +CODE\nwebhook:gitlab\/0123456789abcdef +never +2 +1h\S* ago +\d+m\S* ago +FR-INTERNAL\n$/,
    );
    expect((await world.run(["dlq", "ls", "-o", "wide"])).out).toMatch(/MESSAGE\n.*reading a webhook failed: no such thing\n$/);
    expect(JSON.parse((await world.run(["dlq", "ls", "-o", "json"])).out)).toEqual([{ key, ...letter() }]);
    expect((await world.run(["dlq", "show", key, "-o", "yaml"])).out).toContain("action: webhook\n");
    const shown = (await world.run(["dlq", "show", key])).out;
    expect(shown).toMatch(/about: connection=gitlab bodySha256=0{64}\ntried: never\nattempts: 2\nfirst failure: \S+Z\n/);
    expect(shown).toMatch(/FAILED AT +CODE +MESSAGE\n\S+Z +FR-INTERNAL +reading a webhook failed: no such thing\n$/);
    const metrics = await (await call("GET", "/metrics")).text();
    expect(metrics).toContain('firerunner_dead_letters{effect="webhook"} 1');
    await until(
      () => world.service.store.get("condition", "connection/gitlab/DeadLetters")?.value.status === true,
      "the connection says so",
    );
    expect(await (await call("GET", "/v1/dead-letters?action=deleteRunner")).json()).toEqual({ items: [] });
  });

  it("are dropped, and who did it is told", async () => {
    await put();
    const { code, out } = await world.run(["dlq", "drop", key], { env: { USER: "ada" } });
    expect([code, out]).toEqual([0, `${key} is dropped: it is not tried any more\n`]);
    await until(() => letter() === undefined, "the loop forgets it");
    const events = world.service.store.events({ after: 0, limit: 1_000, subject: { kind: "deadLetter", name: key } });
    expect(events.map(({ type, message }) => [type, message])).toEqual([["DeadLetterDropped", "by ada"]]);
  });

  it("are retried: what is asked is written down for whoever leads", async () => {
    // Of another action than the loop's own, so that it stays as it is.
    await put({ tried: "when-asked" });
    const answer = await call("POST", `/v1/dead-letters/${encodeURIComponent(key)}/retry`, "{}");
    expect([answer.status, await answer.json()]).toEqual([
      202,
      expect.objectContaining({ key, asked: expect.objectContaining({ what: "retry", by: "ada" }) }),
    ]);
    expect((await world.run(["dlq", "show", key])).out).toMatch(/asked: retry, by ada at \S+Z/);
    expect((await world.run(["dlq", "retry", key])).code).toBe(0);
  });

  it.each([
    ["retry", "never", "retry is refused: there is nothing to try again"],
    ["drop", "slowly", "drop is refused: given up, it would leave something behind"],
  ] as const)("%s of what is tried %s is refused with the reason", async (verb, tried, why) => {
    await put({ tried });
    const { code, err } = await world.run(["dlq", verb, key]);
    expect([code, err]).toEqual([1, expect.stringContaining(`error FR-INVALID: dead letter "${key}": ${why}`)]);
    expect(letter()?.asked).toBeUndefined();
  });

  it("that are not there are named", async () => {
    for (const verb of ["show", "retry", "drop"]) {
      expect((await world.run(["dlq", verb, "readJob:x/1/2"])).err).toBe('error FR-NOT-FOUND: no dead letter is called "readJob:x/1/2"\n');
    }
    expect((await world.run(["dlq", "mend", key])).code).toBe(2);
  });
});
