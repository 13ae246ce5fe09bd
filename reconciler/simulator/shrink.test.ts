import { expect, it } from "vitest";
import { only, partsOf, type Script, scriptOf } from "./script.js";
import { shrink } from "./shrink.js";

/** As if something broke whenever these are in a script. */
const breaksWith = (needed: readonly string[]) => async (script: Script) => needed.every((part) => partsOf(script).includes(part));

it("leaves out of a script all that it does not take, and no more", async () => {
  const script = scriptOf(7, 40);
  const needed = ["push.3", "push.38"];
  const shrunk = await shrink(script, breaksWith(needed), 500);
  expect(partsOf(shrunk.script)).toEqual(needed);
  expect(shrunk.plays).toBeLessThan(100);
});

it("ends after so many plays with what is left by then", async () => {
  const script = scriptOf(7, 40);
  const shrunk = await shrink(script, breaksWith(["push.3"]), 2);
  expect(shrunk.plays).toBe(2);
  expect(partsOf(shrunk.script)).toContain("push.3");
});

it("a seed decides its script, and parts of it are named", () => {
  expect(scriptOf(11)).toEqual(scriptOf(11));
  expect(scriptOf(11)).not.toEqual(scriptOf(12));
  const script = scriptOf(11);
  const [first] = script.steps.keys();
  const small = only(script, new Set([first ?? ""]));
  expect(partsOf(small)).toEqual([first]);
});
