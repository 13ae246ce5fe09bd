import { describe, expect, it } from "vitest";
import { VirtualClock } from "../simulator/virtual-clock.js";
import { Turns } from "./turns.js";

const soon = () => new Promise((resolve) => setImmediate(resolve));

/** Turns that each take `tookMs` of the clock's time. */
function turning(tookMs = 0) {
  const clock = new VirtualClock(1_000);
  const began: number[] = [];
  let under = 0;
  const turns = new Turns(clock, async () => {
    began.push(clock.now());
    under += 1;
    expect(under).toBe(1);
    if (tookMs > 0) await clock.sleep(tookMs);
    under -= 1;
  });
  const pass = async (untilMs: number) => {
    await soon();
    while (clock.fireNext(1_000 + untilMs)) await soon();
    await soon();
  };
  return { turns, began, pass, clock };
}

describe("turns", () => {
  it("are one for everything that is wanted in one go", async () => {
    const { turns, began, pass } = turning();
    for (let n = 0; n < 100; n++) turns.want();
    await pass(0);
    expect(began).toHaveLength(1);
  });

  it("begin without a timer when the loop rested", async () => {
    const { turns, began, pass } = turning();
    turns.want();
    await pass(0);
    turns.want();
    await pass(0);
    expect(began).toEqual([1_000, 1_000]);
  });

  it("come once more for what was wanted during one", async () => {
    const { turns, began, pass, clock } = turning(5);
    turns.want();
    await soon();
    turns.want();
    turns.want();
    await pass(100);
    expect(began).toHaveLength(2);
    expect(clock.now()).toBeGreaterThan(1_000);
  });

  it.each([
    [10, 1_040],
    [400, 1_450],
  ])("that took %i ms are followed by a rest three times as long, and not longer than 50 ms", async (tookMs, nextAt) => {
    const { turns, began, pass } = turning(tookMs);
    turns.want();
    await soon();
    turns.want();
    await pass(2_000);
    expect(began).toEqual([1_000, nextAt]);
  });

  it("do not begin any more once they were stopped", async () => {
    const { turns, began, pass } = turning();
    turns.want();
    await turns.stop();
    turns.want();
    await pass(1_000);
    expect(began).toEqual([]);
  });

  it("settle their stop when the one under way has ended", async () => {
    const { turns, pass } = turning(10);
    turns.want();
    await soon();
    let stopped = false;
    const stopping = turns.stop().then(() => {
      stopped = true;
    });
    await soon();
    expect(stopped).toBe(false);
    await pass(100);
    await stopping;
  });
});
