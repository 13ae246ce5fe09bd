import { describe, expect, it } from "vitest";
import type { ForgePort } from "../forge/port.js";
import { FireRunnerError } from "../model/errors.js";
import { aConnection, now } from "../plan/snapshot.fixture.js";
import type { ExecutionContext } from "./execution.js";
import { readProtectedRefs } from "./read-protected-refs.js";
import { SoftState } from "./soft-state.js";

const lists = { branches: ["main"], tags: [] };

async function run(protectedRefs: ForgePort["protectedRefs"], soft = new SoftState()) {
  const context = { ports: { clock: { now: () => now }, forge: { protectedRefs } }, soft } as unknown as ExecutionContext;
  await readProtectedRefs(aConnection(), { kind: "readProtectedRefs", connection: "forge", projectId: 7 }, context);
  return soft.protectedRefsOf("forge").get(7);
}

const refuse = (code: "FR-FORGE-UNAUTHORIZED" | "FR-FORGE-UNREACHABLE", status: number) => () =>
  Promise.reject(new FireRunnerError(code, "it needs the role Maintainer", { details: { status }, retryable: status >= 500 }));

describe("a project's protected refs", () => {
  it("are remembered with the time", async () => {
    expect(await run(async () => lists)).toEqual({ at: now, refs: lists });
  });

  it("may be refused, which is remembered too", async () => {
    expect(await run(refuse("FR-FORGE-UNAUTHORIZED", 403))).toEqual({ at: now, refused: "it needs the role Maintainer" });
  });

  it.each([
    ["of a forge that is away", refuse("FR-FORGE-UNREACHABLE", 502)],
    ["of a forge that refuses the token altogether", refuse("FR-FORGE-UNAUTHORIZED", 401)],
  ])("%s are what they were, and are asked for again", async (_what, protectedRefs) => {
    const soft = new SoftState();
    await run(async () => lists, soft);
    await expect(run(protectedRefs, soft)).rejects.toThrow(FireRunnerError);
    expect(soft.protectedRefsOf("forge").get(7)).toEqual({ at: now, refs: lists });
  });

  it("are forgotten when nobody asked for an hour, and when the clock is set back", async () => {
    const soft = new SoftState();
    await run(async () => lists, soft);
    soft.prune(now + 3_600_000);
    expect(soft.protectedRefsOf("forge").size).toBe(1);
    soft.prune(now + 3_600_001);
    expect(soft.protectedRefsOf("forge").size).toBe(0);
    await run(async () => lists, soft);
    soft.setBack(now - 1);
    expect(soft.protectedRefsOf("forge").size).toBe(0);
  });
});
