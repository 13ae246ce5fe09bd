import { describe, expect, it } from "vitest";
import type { Clock } from "../model/clock.js";
import { VirtualClock } from "../simulator/virtual-clock.js";
import { Turns } from "./turns.js";

const soon = () => new Promise((resolve) => setImmediate(resolve));

/** Turns that each take `tookMs` of the clock's time. */
function turning(tookMs = 0) {
  const clock = new VirtualClock(1_000);
  const began: number[] = [];
  const ended: number[] = [];
  let under = 0;
  let more = 0;
  let setBackMs = 0;
  const shown: Clock = { now: () => clock.now() - setBackMs, after: (delayMs, callback) => clock.after(delayMs, callback) };
  const turns: Turns = new Turns(shown, async () => {
    began.push(clock.now());
    under += 1;
    expect(under).toBe(1);
    await Promise.resolve();
    if (more > 0) turns.want();
    more -= 1;
    if (tookMs > 0) await clock.sleep(tookMs);
    under -= 1;
    ended.push(clock.now());
  });
  const pass = async (untilMs: number) => {
    await soon();
    while (clock.fireNext(1_000 + untilMs)) await soon();
    await soon();
  };
  /** Wants so many turns one after the other; tells how long each of them but the first waited for after the one before. */
  const busy = async (times: number): Promise<readonly number[]> => {
    const first = began.length;
    more = times - 1;
    turns.want();
    while (ended.length < first + times) await pass(Number.POSITIVE_INFINITY);
    expect(began).toHaveLength(first + times);
    return began.slice(first + 1).map((at, index) => at - (ended[first + index] ?? Number.NaN));
  };
  const quiet = async (ms: number) => {
    clock.after(ms, () => {});
    await pass(Number.POSITIVE_INFINITY);
  };
  const setBack = (ms: number) => {
    setBackMs += ms;
  };
  return { turns, began, pass, busy, quiet, setBack, clock };
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
    [10, 30],
    [400, 50],
  ])("that take %i ms are followed by rests three times as long, and not longer than 50 ms", async (tookMs, restMs) => {
    const { busy } = turning(tookMs);
    expect((await busy(20)).at(-1)).toBe(restMs);
  });

  it.each([
    [10, 6],
    [400, 4],
  ])("that take %i ms come at once after a start, until 200 ms of rest are owed for %i of them", async (tookMs, atOnce) => {
    const { busy } = turning(tookMs);
    const rests = await busy(20);
    expect(rests.findIndex((restMs) => restMs > 0)).toBe(atOnce);
    expect(rests.slice(atOnce + 1)).not.toContain(0);
  });

  it("come at once again after a quiet while", async () => {
    const { busy, quiet } = turning(10);
    const rests = await busy(20);
    await quiet(1_000);
    expect(await busy(20)).toEqual(rests);
  });

  it("rest for 50 ms at most when the clock was set back", async () => {
    const { busy, setBack } = turning(400);
    await busy(20);
    setBack(3_600_000);
    expect(Math.max(...(await busy(5)))).toBe(50);
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
