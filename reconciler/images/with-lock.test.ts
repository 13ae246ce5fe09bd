import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { withLock } from "./with-lock.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "firerunner-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const unwaited = { limitMs: 30_000, onWait: () => undefined };

it("of those who ask for the same lock one works at a time, and each hears once that it waits", async () => {
  const file = join(folder, "some/where.lock");
  let inside = 0;
  let most = 0;
  let waited = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside -= 1;
  };
  const onWait = () => {
    waited += 1;
  };
  const first = withLock(file, unwaited, () => Promise.all([1, 2, 3].map(() => withLock(join(folder, "other.lock"), unwaited, work))));
  const others = [1, 2, 3].map(() => withLock(file, { limitMs: 30_000, onWait }, work));
  await Promise.all([first, ...others]);
  expect(most).toBe(1);
  expect(waited).toBeLessThanOrEqual(3);
});

it("is given back when the work fails, and refused in time to who waits in vain", async () => {
  const file = join(folder, "a.lock");
  await expect(withLock(file, unwaited, () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
  const refused = withLock(file, unwaited, () => withLock(file, { limitMs: 10, onWait: () => undefined }, async () => "never"));
  await expect(refused).rejects.toMatchObject({ code: "FR-IMAGE-BUILD", message: expect.stringContaining("was held by another process") });
  expect(await withLock(file, unwaited, async () => "free")).toBe("free");
});

it("who waits is let go by a signal", async () => {
  const file = join(folder, "a.lock");
  const controller = new AbortController();
  const onWait = () => controller.abort(new Error("asked to end"));
  const waiting = withLock(file, unwaited, () =>
    withLock(file, { limitMs: 30_000, onWait, signal: controller.signal }, async () => "never"),
  );
  await expect(waiting).rejects.toThrow("asked to end");
});
