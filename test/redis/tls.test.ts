import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { firstPair, secondPair } from "../../reconciler/http/tls-pairs.fixture.js";
import { openConnection } from "../../reconciler/store/redis/connection.js";
import { put, revisionOf } from "../../reconciler/store/store-world.fixture.js";
import { freePorts } from "../e2e/free-ports.fixture.js";
import { describeRedis } from "./describe-redis.fixture.js";
import { startRedis } from "./redis-process.fixture.js";
import { openTestStore } from "./stores.fixture.js";

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

describeRedis("a store behind TLS", () => {
  it("is used over it with a client certificate, and only where the server's certificate is trusted", async () => {
    const directory = mkdtempSync(join(tmpdir(), "firerunner-redis-tls-"));
    ends.push(() => rmSync(directory, { recursive: true, force: true }));
    const file = (name: string, text: string) => {
      writeFileSync(join(directory, name), text);
      return join(directory, name);
    };
    const [port = 0] = await freePorts(1);
    const redis = await startRedis({
      directory,
      config: [
        `tls-port ${port}`,
        `tls-cert-file ${file("cert.pem", firstPair.cert)}`,
        `tls-key-file ${file("key.pem", firstPair.key)}`,
        `tls-ca-cert-file ${file("clients.pem", secondPair.cert)}`,
      ],
    });
    ends.push(() => redis.stop());
    const endpoint = { host: "127.0.0.1", port };
    const tls = { ca: firstPair.cert, ...secondPair };
    const store = await openTestStore({ port }, { server: { kind: "standalone", endpoint, tls } });
    ends.push(() => store.stop());
    revisionOf(await store.commit({ writes: [put("a")] }));
    await expect(openConnection({ endpoint, tls: { ...tls, ca: secondPair.cert } })).rejects.toMatchObject({
      code: "FR-STORE",
      message: expect.stringMatching(/connecting failed at Redis 127\.0\.0\.1:\d+: .*certificate/),
    });
  });
});
