import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { type RunningService, startService } from "../../reconciler/main.js";
import { serviceSchema } from "../../reconciler/model/service.js";
import { createLogger } from "../../reconciler/telemetry/logger.js";
import { until } from "../e2e/until.fixture.js";
import { describeRedis } from "./describe-redis.fixture.js";
import { type RedisProcess, startRedis } from "./redis-process.fixture.js";

const anyPort = { listen: "127.0.0.1:0" };
const password = "the-password-of-redis";
const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

describeRedis("services on one store in Redis", () => {
  async function start(redis: RedisProcess, lines: string[], key = "5a".repeat(32)): Promise<RunningService> {
    const directory = mkdtempSync(join(tmpdir(), "fr-redis-service-"));
    ends.push(() => rmSync(directory, { recursive: true, force: true }));
    const service = serviceSchema.parse({
      owner: "test",
      stateDir: directory,
      store: { kind: "redis", url: `redis://127.0.0.1:${redis.port}`, password: "env:REDIS_PASSWORD" },
      key: "env:KEY",
      listeners: { public: anyPort, guest: anyPort, admin: anyPort },
    });
    const logger = createLogger({ level: "info", env: {}, destination: { write: (line) => void lines.push(line) } });
    const running = await startService({ service, env: { KEY: key, REDIS_PASSWORD: password }, logger });
    ends.push(() => running.stop());
    return running;
  }
  const ready = async (service: RunningService) => {
    const answer = await fetch(`${service.urls.admin}/ready`, { headers: { authorization: `Bearer ${service.adminToken}` } });
    return { status: answer.status, body: await answer.text() };
  };
  const isLeader = (body: string) => body.includes('"leading":true');

  it("declare for each other, have one leader, and are not ready while Redis is away", async () => {
    const redis = await startRedis({ password, durable: true });
    ends.push(() => redis.stop());
    const lines: string[] = [];
    const [first, second] = [await start(redis, lines), await start(redis, lines)];
    await until("one leads", async () => isLeader((await ready(first)).body) || isLeader((await ready(second)).body));
    expect(isLeader((await ready(first)).body) && isLeader((await ready(second)).body)).toBe(false);

    const image = { name: "base", kernel: { image: `k@sha256:${"a".repeat(64)}` }, rootfs: { image: `r@sha256:${"b".repeat(64)}` } };
    const headers = { authorization: `Bearer ${first.adminToken}`, "content-type": "application/json" };
    const put = await fetch(`${first.urls.admin}/v1/images/base`, { method: "PUT", headers, body: JSON.stringify(image) });
    expect(put.status).toBe(201);
    await until("the other one has it", () => second.store.get("image", "base") !== undefined);
    // What an operator asks of the one that stands by the leader does.
    const standBy = isLeader((await ready(first)).body) ? second : first;
    const letter = {
      ...({ action: "webhook", target: { bodySha256: "c".repeat(64) }, tried: "never", attempts: 1 } as const),
      ...{ firstFailureAt: Date.now(), lastFailureAt: Date.now(), parkedAt: Date.now() },
      failures: [{ at: Date.now(), code: "FR-INTERNAL", message: "cannot be read" }],
    };
    await standBy.store.commit({ writes: [{ kind: "deadLetter", key: "webhook:c", value: letter, expect: "absent" }] });
    const drop = await fetch(`${standBy.urls.admin}/v1/dead-letters/webhook:c`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${standBy.adminToken}` },
    });
    expect(drop.status).toBe(202);
    await until("nobody has it any more", () => [first, second].every(({ store }) => store.count("deadLetter") === 0));
    expect(first.store.events({ after: 0, limit: 100 }).map(({ type }) => type)).toContain("DeadLetterDropped");
    await expect(start(redis, lines, "6b".repeat(32))).rejects.toMatchObject({ code: "FR-STORE-SEALED" });

    await redis.kill("SIGKILL");
    for (const service of [first, second]) {
      await until("it is not ready", async () => (await ready(service)).status === 503);
      expect((await ready(service)).body).toMatch(/FR-STORE: a commit was refused: the store is out of reach/);
    }
    await redis.start();
    for (const service of [first, second]) await until("it is ready again", async () => (await ready(service)).status === 200);
    expect(second.store.get("image", "base")?.value.generation).toBe(1);
    expect(lines.join("")).not.toContain(password);
  });
});
