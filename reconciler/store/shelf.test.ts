import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Shelf } from "./shelf.js";

interface Item {
  readonly key: string;
  readonly n: number;
}

const key = fc.oneof(fc.constantFrom("a", "b", "ab", "", "é", "\u{1f600}", "\uffff"), fc.string({ maxLength: 2 }));
const change = fc.record({ key, n: fc.integer(), do: fc.constantFrom("set", "set", "delete", "list") });

describe("a shelf", () => {
  it("lists what a sorted map would, and never changes what it gave out", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const shelf = new Shelf<Item>();
        const model = new Map<string, Item>();
        const given: { readonly list: readonly Item[]; readonly copy: readonly Item[] }[] = [];
        for (const each of changes) {
          const item = { key: each.key, n: each.n };
          if (each.do === "set") {
            shelf.set(item);
            model.set(item.key, item);
          }
          if (each.do === "delete") {
            shelf.delete(item.key);
            model.delete(item.key);
          }
          if (each.do === "list") given.push({ list: shelf.list(), copy: [...shelf.list()] });
          expect(shelf.get(each.key)).toBe(model.get(each.key));
          expect(shelf.size).toBe(model.size);
        }
        const sorted = [...model.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
        expect(shelf.list()).toEqual(sorted);
        expect(shelf.list()).toBe(shelf.list());
        for (const { list, copy } of given) expect(list).toEqual(copy);
      }),
    );
  });
});
