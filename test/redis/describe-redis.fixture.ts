import { describe, inject } from "vitest";

/** `describe` with a real Redis; skipped without one, which is an error where CI=true. */
export const describeRedis: (name: string, body: () => void) => void = (name, body) =>
  (inject("redisMissing") === undefined ? describe : describe.skip)(name, body);
