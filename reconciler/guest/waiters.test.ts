import { describe, expect, it } from "vitest";
import { ManualClock } from "../model/manual-clock.fixture.js";
import { createWaiters } from "./waiters.js";

function make(max = 10) {
  const clock = new ManualClock();
  return { clock, waiters: createWaiters(clock, max) };
}

describe("waiters", () => {
  it("end when their own key changes, and leave nothing behind", async () => {
    const { clock, waiters } = make();
    const a = waiters.wait("a", 1000);
    const b = waiters.wait("b", 1000);
    waiters.wake("a");
    waiters.wake("nobody");
    expect(await a).toBe("changed");
    expect(waiters.count()).toBe(1);
    await clock.advance(1000);
    expect(await b).toBe("timed-out");
    expect([waiters.count(), clock.waiting]).toEqual([0, 0]);
  });

  it("are one for each key: the newer one takes the place", async () => {
    const { clock, waiters } = make();
    const older = waiters.wait("a", 1000);
    const newer = waiters.wait("a", 1000);
    expect(await older).toBe("replaced");
    waiters.wake("a");
    expect(await newer).toBe("changed");
    expect(clock.waiting).toBe(0);
  });

  it("are bounded, but for one who only waits anew", async () => {
    const { waiters } = make(1);
    const first = waiters.wait("a", 1000);
    expect(await waiters.wait("b", 1000)).toBe("full");
    const again = waiters.wait("a", 1000);
    expect(await first).toBe("replaced");
    waiters.wake("a");
    expect(await again).toBe("changed");
  });

  it("end when nobody listens any more", async () => {
    const { clock, waiters } = make();
    const gone = new AbortController();
    const cut = waiters.wait("a", 1000, gone.signal);
    gone.abort();
    expect(await cut).toBe("cut");
    expect(await waiters.wait("a", 1000, gone.signal)).toBe("cut");
    expect([waiters.count(), clock.waiting]).toEqual([0, 0]);
  });

  it("all end with the service, and none begins afterwards", async () => {
    const { waiters } = make();
    const waits = [waiters.wait("a", 1000), waiters.wait("b", 1000)];
    waiters.stop();
    expect(await Promise.all(waits)).toEqual(["stopped", "stopped"]);
    expect(await waiters.wait("c", 1000)).toBe("stopped");
    expect(waiters.count()).toBe(0);
  });
});
