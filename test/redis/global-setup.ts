import { spawnSync } from "node:child_process";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Why there is no Redis server to start, or undefined when there is. */
    redisMissing: string | undefined;
  }
}

/** Looks for the Redis server; without one these tests are skipped, which is an error where CI=true. */
export default function setUp(vitest: TestProject): void {
  const { status, stdout } = spawnSync("redis-server", ["--version"], { encoding: "utf8", timeout: 10_000 });
  const [, version] = /v=(\d+)\./.exec(stdout ?? "") ?? [];
  const missing = status === 0 && Number(version) >= 7 ? undefined : "no redis-server of version 7 or newer: `npm run setup` installs it";
  if (missing !== undefined) {
    if (process.env.CI === "true") throw new Error(missing);
    process.stderr.write(`test/redis is skipped: ${missing}\n`);
  }
  vitest.provide("redisMissing", missing);
}
