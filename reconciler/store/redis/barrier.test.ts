import { expect, it } from "vitest";
import { Barrier } from "./barrier.js";

it("a barrier lets those who come while it is waited at wait together for the next time", async () => {
  const waits: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  const barrier = new Barrier(() => new Promise((resolve, reject) => waits.push({ resolve, reject })));
  const passed: string[] = [];
  const pass = (name: string) =>
    barrier.pass().then(
      () => passed.push(name),
      () => passed.push(`${name} failed`),
    );
  const first = pass("a");
  const later = [pass("b"), pass("c")];
  expect(waits).toHaveLength(1);
  waits[0]?.reject(new Error("no replica"));
  await first;
  expect([passed, waits.length]).toEqual([["a failed"], 2]);
  const last = pass("d");
  waits[1]?.resolve();
  await Promise.all(later);
  expect(passed).toEqual(["a failed", "b", "c"]);
  waits[2]?.resolve();
  await last;
  expect([passed.at(-1), waits.length]).toEqual(["d", 3]);
});
