import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../model/manual-clock.fixture.js";
import { HostBreaker } from "./host-breaker.js";

const middling = { next: () => 0.5, hex: () => "" };

function opened(clock: ManualClock): HostBreaker {
  const breaker = new HostBreaker(clock, middling);
  for (let n = 0; n < 5; n += 1) breaker.unheard(`no answer ${n}`, false);
  return breaker;
}

describe("a breaker", () => {
  it("opens after five calls in a row without any word, and tells since when and why", async () => {
    const clock = new ManualClock();
    const since = clock.now();
    const breaker = new HostBreaker(clock, middling);
    for (let n = 0; n < 4; n += 1) breaker.unheard("no answer", false);
    breaker.heard();
    for (let n = 0; n < 4; n += 1) breaker.unheard("no answer", false);
    expect(breaker.admit()).toEqual({ kind: "send" });
    await clock.advance(100);
    breaker.unheard("refused", false);
    expect(breaker.admit()).toEqual({ kind: "withhold", withheld: { since, calls: 5, why: "refused", retryAfterMs: 750 } });
  });

  it("lets one call through after its pause, and none beside it", async () => {
    const clock = new ManualClock();
    const breaker = opened(clock);
    await clock.advance(750);
    expect([breaker.admit().kind, breaker.admit().kind]).toEqual(["probe", "withhold"]);
    breaker.heard();
    expect([breaker.admit().kind, breaker.admit().kind]).toEqual(["send", "send"]);
  });

  it("waits longer after each probe in vain, up to a limit; those that were under way change nothing", async () => {
    const clock = new ManualClock();
    const breaker = opened(clock);
    const pauses: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      breaker.unheard("late", false);
      const admission = breaker.admit();
      if (admission.kind !== "withhold") throw new Error("it is not open");
      pauses.push(admission.withheld.retryAfterMs);
      await clock.advance(admission.withheld.retryAfterMs);
      expect(breaker.admit().kind).toBe("probe");
      breaker.unheard("no answer", true);
    }
    expect(pauses).toEqual([750, 1500, 3000, 6000, 11_250, 11_250, 11_250, 11_250]);
  });

  it("takes the next call for the probe when the probe was ended from here, or the clock was set back", async () => {
    const clock = new ManualClock();
    const breaker = opened(clock);
    await clock.advance(750);
    expect(breaker.admit().kind).toBe("probe");
    breaker.unknown();
    expect(breaker.admit().kind).toBe("probe");
    const later = new ManualClock(clock.now() + 3_600_000);
    const setBack = { now: () => later.now() };
    const other = new HostBreaker(setBack, middling);
    for (let n = 0; n < 5; n += 1) other.unheard("no answer", false);
    setBack.now = () => clock.now();
    expect(other.admit().kind).toBe("probe");
  });

  it("pays for few repetitions, which answers earn back", () => {
    const breaker = new HostBreaker(new ManualClock(), middling);
    const paid = () => Array.from({ length: 20 }, () => breaker.mayRepeat()).filter(Boolean).length;
    expect(paid()).toBe(10);
    for (let n = 0; n < 25; n += 1) breaker.heard();
    expect(paid()).toBe(2);
    for (let n = 0; n < 5; n += 1) breaker.unheard("no answer", false);
    for (let n = 0; n < 10; n += 1) expect(breaker.mayRepeat()).toBe(false);
  });

  it("never withholds for longer than its longest pause once no probe runs, whatever happened", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom("heard", "unheard", "probe", "unknown", "wait")), async (events) => {
        const clock = new ManualClock();
        const breaker = new HostBreaker(clock, middling);
        let probing = false;
        for (const event of events) {
          if (event === "wait") await clock.advance(2_000);
          else if (event === "probe") probing ||= breaker.admit().kind === "probe";
          else if (event === "heard") breaker.heard();
          else if (event === "unheard") breaker.unheard("no answer", probing);
          else breaker.unknown();
          if (event !== "wait" && event !== "probe") probing = false;
        }
        breaker.unknown();
        await clock.advance(15_000);
        expect(breaker.admit().kind).not.toBe("withhold");
      }),
      { numRuns: 50 },
    );
  });
});
