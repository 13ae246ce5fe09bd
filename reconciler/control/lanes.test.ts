import { describe, expect, it } from "vitest";
import { Lanes } from "./lanes.js";

const soon = () => new Promise((resolve) => setImmediate(resolve));

/** Tasks that end when they are told to. */
function tasks() {
  const running: (() => void)[] = [];
  const begun: string[] = [];
  const task = (name: string) => () => {
    begun.push(name);
    return new Promise<void>((resolve) => running.push(resolve));
  };
  const endOne = async () => {
    running.shift()?.();
    await soon();
  };
  return { task, begun, endOne };
}

describe("lanes", () => {
  it("run as many tasks at once as they are wide, the others in order", async () => {
    const lanes = new Lanes(2, 10);
    const { task, begun, endOne } = tasks();
    for (const name of ["a", "b", "c", "d"]) expect(lanes.offer("host", task(name))).toBe(true);
    expect(begun).toEqual(["a", "b"]);
    await endOne();
    expect(begun).toEqual(["a", "b", "c"]);
  });

  it("do not hold each other up", () => {
    const lanes = new Lanes(1, 10);
    const { task, begun } = tasks();
    lanes.offer("slow", task("a"));
    lanes.offer("slow", task("b"));
    lanes.offer("other", task("c"));
    expect(begun).toEqual(["a", "c"]);
  });

  it("refuse what is beyond their depth", () => {
    const lanes = new Lanes(1, 1);
    const { task } = tasks();
    expect([1, 2, 3].map((n) => lanes.offer("host", task(String(n))))).toEqual([true, true, false]);
  });

  it("give up what waits and settle when what runs has ended", async () => {
    const lanes = new Lanes(1, 10);
    const { task, begun, endOne } = tasks();
    lanes.offer("host", task("a"));
    lanes.offer("host", task("b"));
    let drained = false;
    const draining = lanes.drain().then(() => {
      drained = true;
    });
    await soon();
    expect(drained).toBe(false);
    await endOne();
    await draining;
    expect(begun).toEqual(["a"]);
  });
});
