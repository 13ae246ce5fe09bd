/**
 * A process of its own that commits without end, for tests that kill it: `node --import tsx committer.fixture.ts PATH ROUND`.
 * Every commit that was acknowledged is a line `KEY REVISION SEQ` on standard output.
 */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { openSqliteStore } from "./sqlite-store.js";

const [path = "", round = ""] = process.argv.slice(2);
const store = openSqliteStore({
  path,
  clock: Date,
  random: { next: Math.random, hex: (bytes) => randomBytes(bytes).toString("hex") },
});
const seqs = new Map<number, number>();
store.watch(({ revision, events }) => seqs.set(revision, events[0]?.seq ?? 0));

async function commitOne(n: number): Promise<void> {
  const key = `${round}/${n}`;
  const result = await store.commit({
    writes: [{ kind: "hint", key, value: { connection: "gl", projectId: 1, jobId: n + 1, firstSeenAt: 1 }, expect: "absent" }],
    events: [{ at: 1, type: "Noted", subject: { kind: "hint", name: key }, message: "" }],
  });
  if (result.outcome !== "committed") return;
  const line = `${key} ${result.revision} ${seqs.get(result.revision)}\n`;
  if (!process.stdout.write(line)) await once(process.stdout, "drain");
}

for (let n = 0; n < 1_000_000; n += 7) await Promise.all(Array.from({ length: 7 }, (_, k) => commitOne(n + k)));
