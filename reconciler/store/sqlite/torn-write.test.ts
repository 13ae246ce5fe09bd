import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { event, hint, put, storeWorld } from "../store-world.fixture.js";
import { temporaryPath } from "./files.fixture.js";
import { openSqliteStore } from "./sqlite-store.js";

const commits = 40;

/** The files of a store in the middle of its life, as a loss of power would leave them: not closed, everything in the log. */
async function filesOfALife(): Promise<string> {
  const path = temporaryPath();
  const store = openSqliteStore({ path, ...storeWorld() });
  for (let n = 1; n <= commits; n++) {
    await store.commit({ writes: [put("last", hint(n)), put(`of/${n}`, hint(n))], events: [event(String(n))] });
  }
  const copy = join(temporaryPath(), "store.db");
  mkdirSync(dirname(copy), { recursive: true });
  // Another process copies: this one would lose its lock when it closed the file.
  for (const suffix of ["", "-wal"]) execFileSync("cp", [`${path}${suffix}`, `${copy}${suffix}`]);
  await store.stop();
  return copy;
}

it("a last write that is torn takes nothing with it: what is there is all of the commits up to one", async () => {
  const life = await filesOfALife();
  const size = statSync(`${life}-wal`).size;
  const tears = fc.record({ at: fc.integer({ min: 0, max: size }), garbage: fc.uint8Array({ maxLength: 8_192 }) });
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(tears, async ({ at, garbage }) => {
      const path = temporaryPath();
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, readFileSync(life));
      writeFileSync(`${path}-wal`, readFileSync(`${life}-wal`));
      truncateSync(`${path}-wal`, at);
      writeFileSync(`${path}-wal`, garbage, { flag: "a" });
      const store = openSqliteStore({ path, ...storeWorld() });
      const upTo = store.get("hint", "last")?.value.jobId ?? 0;
      seen.add(upTo);
      expect(store.count("hint")).toBe(upTo === 0 ? 0 : upTo + 1);
      expect(store.events({ after: 0, limit: 1_000 })).toHaveLength(upTo);
      const next = await store.commit({ writes: [put("next", hint(1), "absent")] });
      expect(next).toEqual({ outcome: "committed", revision: upTo + 1 });
      await store.stop();
    }),
    { numRuns: 25, examples: [[{ at: size, garbage: new Uint8Array(100) }], [{ at: size - 1, garbage: new Uint8Array() }]] },
  );
  expect(seen).toContain(commits);
  expect(seen).toContain(commits - 1);
});
