import fc from "fast-check";
import { expect, it } from "vitest";
import { pageOf } from "./page.js";

const keys = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { maxLength: 60 })
  .map((list) => list.toSorted().map((key) => ({ key })));

it("page after page gives everything that is kept, once and in order, whatever the limit", () => {
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 20 }), fc.func(fc.boolean()), (records, limit, kept) => {
      const keep = ({ key }: { key: string }) => kept(key);
      const found: string[] = [];
      let after: string | undefined;
      for (let pages = 0; pages <= records.length + 1; pages += 1) {
        const page = pageOf(records, { limit, after }, keep, ({ key }) => key);
        expect(page.items.length).toBeLessThanOrEqual(limit);
        found.push(...page.items);
        after = page.next;
        if (after === undefined) break;
      }
      expect(after).toBeUndefined();
      expect(found).toEqual(records.filter(keep).map(({ key }) => key));
    }),
  );
});
