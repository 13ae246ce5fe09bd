import { RedisClient } from "@redis/client";
import { afterEach, expect, it, vi } from "vitest";
import { freePorts } from "../../../test/e2e/free-ports.fixture.js";
import { openConnection } from "./connection.js";

afterEach(() => vi.restoreAllMocks());

it("is made without building the library's client anew, to however many places in turn, and fails with where", async () => {
  const building = vi.spyOn(RedisClient, "factory");
  for (const port of await freePorts(3)) {
    const failure = { code: "FR-STORE", retryable: true, message: expect.stringContaining(`connecting failed at Redis 127.0.0.1:${port}`) };
    await expect(openConnection({ endpoint: { host: "127.0.0.1", port } })).rejects.toMatchObject(failure);
  }
  expect(building).not.toHaveBeenCalled();
});
