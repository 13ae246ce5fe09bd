import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ClaimResult } from "./claims.js";
import { aMicrovm, createGuestWorld, type GuestWorld, nonceOf, secretOf, sha256, traceId } from "./guest.fixture.js";

let world: GuestWorld;

beforeEach(async () => {
  world = await createGuestWorld();
});

afterEach(async () => {
  world.guest.stop();
  await world.store.stop();
});

const accepted = (order: string, first: boolean): ClaimResult => ({ outcome: "accepted", order, first, traceId }) as ClaimResult;
const refused = (reason: string) => expect.objectContaining({ outcome: "refused", reason });

describe("a claim", () => {
  it("binds the microVM to the secret that came first, and holds no secret in the store", async () => {
    expect(await world.guest.claim(world.claimOf())).toEqual(accepted("park", true));
    expect(world.report()).toEqual({
      vm: "vm-a",
      bootId: "boot-1",
      secretSha256: sha256(secretOf("a")),
      claimedAt: world.clock.now(),
    });
    expect(world.guest.lastHeardAt("vm-a")).toBe(world.clock.now());
  });

  it("is answered alike when it comes again, and writes nothing then", async () => {
    await world.guest.claim(world.claimOf());
    const before = world.commits();
    await world.clock.advance(500);
    expect(await world.guest.claim(world.claimOf())).toEqual(accepted("park", false));
    expect(world.commits()).toBe(before);
    expect(world.report()?.claimedAt).toBe(world.clock.now() - 500);
  });

  it("of many at once binds one secret; the others are one incident", async () => {
    const results = await Promise.all(["a", "b", "c", "a"].map((name) => world.guest.claim(world.claimOf({ secret: secretOf(name) }))));
    const bound = results.filter(({ outcome }) => outcome === "accepted");
    expect(bound).toHaveLength(2);
    expect(bound.filter((result) => result.outcome === "accepted" && result.first)).toHaveLength(1);
    expect(world.report()).toMatchObject({ secretSha256: sha256(secretOf("a")), fault: { code: "FR-GUEST-INCIDENT" } });
  });

  it("tells at once to run when the identity is there", async () => {
    await world.putIdentity();
    expect(await world.guest.claim(world.claimOf())).toEqual(accepted("run", true));
    expect(await world.guest.claim(world.claimOf())).toEqual(accepted("run", false));
  });

  it.each(["creating", "booting", "parked", "assigned", "busy"] as const)("is accepted in phase %s", async (phase) => {
    await world.putMicrovm({ phase });
    expect((await world.guest.claim(world.claimOf())).outcome).toBe("accepted");
  });

  it.each(["allocated", "draining", "deleting"] as const)("is refused in phase %s without a write", async (phase) => {
    await world.putMicrovm({ phase });
    const before = world.commits();
    expect(await world.guest.claim(world.claimOf())).toEqual(refused("not-awaited"));
    expect(world.commits()).toBe(before);
    expect(world.guest.lastHeardAt("vm-a")).toBeUndefined();
  });

  it("with a wrong nonce, of an unknown microVM or with another's nonce is refused without a write", async () => {
    await world.putMicrovm(aMicrovm({ name: "vm-b" }));
    const before = world.commits();
    expect(await world.guest.claim(world.claimOf({ nonce: "ab".repeat(32) }))).toEqual(refused("wrong-nonce"));
    expect(await world.guest.claim(world.claimOf({ nonce: nonceOf(world.guest, "vm-b") }))).toEqual(refused("wrong-nonce"));
    expect(await world.guest.claim(world.claimOf({ vm: "vm-z", nonce: "ab".repeat(32) }))).toEqual(refused("wrong-nonce"));
    expect(await world.guest.claim(world.claimOf({ vm: "vm-z" }))).toEqual(refused("unknown-microvm"));
    expect(world.commits()).toBe(before);
    expect(world.store.count("guestReport")).toBe(0);
  });

  it("after another boot is a restart, written down once, and the first boot is told to stop", async () => {
    const session = await world.session();
    await world.putIdentity();
    const again = world.claimOf({ bootId: "boot-2", secret: secretOf("b") });
    expect(await world.guest.claim(again)).toEqual(refused("FR-GUEST-RESTARTED"));
    expect(world.report()?.fault).toEqual({ at: world.clock.now(), code: "FR-GUEST-RESTARTED" });
    const before = world.commits();
    expect(await world.guest.claim(again)).toEqual(refused("FR-GUEST-RESTARTED"));
    expect(await world.guest.claim(world.claimOf({ secret: secretOf("c") }))).toEqual(refused("FR-GUEST-INCIDENT"));
    expect(world.commits()).toBe(before);
    expect(world.report()?.fault?.code).toBe("FR-GUEST-RESTARTED");
    expect(await world.guest.claim(world.claimOf())).toEqual(accepted("stop", false));
    expect(world.guest.config(session)).toEqual({ outcome: "over" });
  });

  it("after another boot with the old secret is a restart too", async () => {
    await world.session();
    expect(await world.guest.claim(world.claimOf({ bootId: "boot-2" }))).toEqual(refused("FR-GUEST-RESTARTED"));
  });

  it("with another secret within one boot is an incident", async () => {
    await world.session();
    expect(await world.guest.claim(world.claimOf({ secret: secretOf("b") }))).toEqual(refused("FR-GUEST-INCIDENT"));
    expect(world.report()?.fault?.code).toBe("FR-GUEST-INCIDENT");
    expect(world.guest.authenticate("vm-a", secretOf("b"))).toBeUndefined();
  });

  it("of a guest that boots once more after its end is refused and no fault", async () => {
    const session = await world.session();
    await world.guest.done(session, { exitCode: 0, reason: "finished" });
    expect(await world.guest.claim(world.claimOf({ bootId: "boot-2" }))).toEqual(refused("FR-GUEST-RESTARTED"));
    expect(world.report()?.fault).toBeUndefined();
  });

  it("of a guest that has begun or ended tells it to stop: it never gets a second runner", async () => {
    await world.putIdentity();
    const session = await world.session();
    await world.guest.heartbeat(session, "started");
    expect(await world.guest.claim(world.claimOf())).toEqual(accepted("stop", false));
    await world.guest.done(session, { exitCode: 0, reason: "finished" });
    expect(await world.guest.claim(world.claimOf())).toEqual(accepted("stop", false));
  });
});

describe("the address of a claim", () => {
  const network = { mode: "static" as const, subnet: "10.20.0.0/24", gateway: "10.20.0.1", nameservers: [], exclude: [] };

  it("must be the allocated one where guests' own addresses are seen", async () => {
    await world.putHost({ ...network, nat: false });
    const before = world.commits();
    expect(await world.guest.claim(world.claimOf({ address: "10.20.0.6" }))).toEqual(refused("wrong-address"));
    expect(await world.guest.claim(world.claimOf({ address: "" }))).toEqual(refused("wrong-address"));
    expect(world.commits()).toBe(before);
    expect((await world.guest.claim(world.claimOf({ address: "::ffff:10.20.0.5" }))).outcome).toBe("accepted");
    expect((await world.guest.claim(world.claimOf({ address: "10.20.0.5" }))).outcome).toBe("accepted");
    // A second secret from elsewhere is not even an incident.
    expect(await world.guest.claim(world.claimOf({ secret: secretOf("b"), address: "10.20.0.6" }))).toEqual(refused("wrong-address"));
    expect(world.report()?.fault).toBeUndefined();
  });

  it("may be any where the host hides it or the host's network gives it", async () => {
    await world.putHost({ ...network, nat: true });
    expect((await world.guest.claim(world.claimOf({ address: "192.0.2.1" }))).outcome).toBe("accepted");
    await world.putHost({ mode: "dhcp", nat: false });
    expect((await world.guest.claim(world.claimOf({ address: "192.0.2.1" }))).outcome).toBe("accepted");
  });
});
