import fc from "fast-check";
import { expect, it } from "vitest";
import { createGuestWorld, secretOf, sha256, token } from "./guest.fixture.js";

const secrets = ["a", "b", "c"].map(secretOf);

/** Most calls are those of one guest; two others try their luck. */
const who = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(1, 2) });

/** A call that a guest (or whoever got hold of its nonce) makes; its answer may be lost, so any call may come again. */
const call = fc.oneof(
  fc.record({
    kind: fc.constant("claim" as const),
    who,
    boot: fc.oneof({ weight: 9, arbitrary: fc.constant("boot-1") }, fc.constant("boot-2")),
  }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("config" as const, "config" as const, "started" as const, "next" as const, "done" as const),
      who,
    }),
  },
  fc.record({ kind: fc.constantFrom("identity-ready" as const, "identity-ready" as const, "retire" as const), who: fc.constant(0) }),
);

it("whatever is called in whatever order, one secret is bound and the configuration goes to it alone, before its start", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(call, { minLength: 1, maxLength: 3 }), { maxLength: 12 }), async (bursts) => {
      const world = await createGuestWorld();
      const { guest } = world;
      const bound = new Set<string>();
      const acceptedBy = new Set<string>();
      for (const burst of bursts) {
        // Calls of one burst run at the same time, as those of impatient guests do.
        await Promise.all(
          burst.map(async (made) => {
            const secret = secrets[made.who] ?? "";
            if (made.kind === "identity-ready") return world.putIdentity();
            if (made.kind === "retire") return world.putMicrovm({ phase: "draining" });
            if (made.kind === "claim") {
              const result = await guest.claim(world.claimOf({ secret, bootId: made.boot }));
              if (result.outcome === "accepted") acceptedBy.add(secret);
              return;
            }
            const session = guest.authenticate("vm-a", secret);
            if (session === undefined) return;
            if (made.kind === "next") await guest.next(session, 0);
            if (made.kind === "started") await guest.heartbeat(session, "started");
            if (made.kind === "done") await guest.done(session, { exitCode: 0, reason: "finished" });
            if (made.kind !== "config") return;
            const before = world.report();
            const config = guest.config(session);
            if (config.outcome !== "given") return;
            expect(config.toml).toContain(token);
            expect(before).toMatchObject({ secretSha256: sha256(secret) });
            expect([before?.startedAt, before?.done, before?.fault]).toEqual([undefined, undefined, undefined]);
            expect(world.store.get("microvm", "vm-a")?.value.phase).not.toBe("draining");
          }),
        );
        const report = world.report();
        if (report !== undefined) bound.add(report.secretSha256);
      }
      expect(bound.size).toBeLessThanOrEqual(1);
      expect(acceptedBy.size).toBeLessThanOrEqual(1);
      expect([...acceptedBy].map(sha256)).toEqual([...bound]);
      guest.stop();
      await world.store.stop();
    }),
    { numRuns: 200 },
  );
});
