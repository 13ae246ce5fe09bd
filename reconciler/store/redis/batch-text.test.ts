import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkBatch } from "../checked-batch.js";
import { event, hint, put } from "../store-world.fixture.js";
import { batchText, type FeedEntry, readBatchText, readPlace } from "./batch-text.js";

const entry = (batch: string): FeedEntry => ({ revision: 7, commit: "c", before: "b", seq: 4, batch, leapTo: undefined });
const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((text) => !text.includes("\0"));

describe("a batch as text", () => {
  it("is read as it was written, whatever its keys and texts are", () => {
    const write = fc.record({ key, value: fc.option(fc.nat({ max: 99 })), expect: fc.constantFrom("any" as const, "absent" as const, 3) });
    const writes = fc.uniqueArray(write, { selector: (each) => each.key, maxLength: 5 });
    fc.assert(
      fc.property(writes, fc.array(fc.string({ unit: "binary" }), { maxLength: 3 }), (asked, messages) => {
        const batch = checkBatch({
          writes: asked.map((each) => put(each.key, each.value === null ? null : hint(each.value + 1), each.expect)),
          events: messages.map((message) => event("e", message)),
        });
        const read = readBatchText(entry(batchText(batch)));
        expect(read.writes).toEqual(batch.writes.map((each) => ({ ...each, expect: "any" })));
        expect(read.events).toEqual(batch.events?.map((each, index) => ({ ...each, seq: 5 + index })));
      }),
    );
  });

  it("that holds what this FireRunner does not know is refused by name", () => {
    const refused = (writes: unknown) => () => readBatchText(entry(JSON.stringify({ writes, events: [] })));
    expect(refused([["dog rex", "any", "{}"]])).toThrow(/dog "rex" is of a kind that this FireRunner does not know.*newer FireRunner/);
    expect(refused([["hint a b", "any", "{"]])).toThrow(/hint "a b" is not JSON/);
    expect(() => readPlace("hint x", '3 {"connection":"gl"}')).toThrow(/hint "x" is not a record of its kind: projectId: is missing/);
  });
});
