import fc from "fast-check";
import { expect, it } from "vitest";
import { TupleMap } from "./tuple-map.js";

const part = fc.constantFrom("", "a", "b", "a/b", 1, undefined);

it("keeps one value for each tuple, in the order in which they came, and makes it once", () => {
  fc.assert(
    fc.property(fc.array(fc.array(part, { maxLength: 3 })), (keys) => {
      const map = new TupleMap<{ readonly made: string }>();
      const texts = keys.map((key) => JSON.stringify(key.map((each) => [typeof each, each])));
      const found = keys.map((key, index) => map.of(key, () => ({ made: texts[index] ?? "" })).made);
      expect(found).toEqual(texts);
      expect(map.values().map(({ made }) => made)).toEqual([...new Set(texts)]);
    }),
  );
});
