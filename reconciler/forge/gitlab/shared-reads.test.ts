import { describe, expect, it } from "vitest";
import { createSharedReads } from "./shared-reads.js";

/** Reads that end when the test says so; each gives its number. */
function manualReads() {
  const begun: { readonly key: string; end(error?: Error): void }[] = [];
  const shared = createSharedReads<number>();
  const read = (key: string) =>
    shared.read(
      key,
      () =>
        new Promise((resolve, reject) => {
          const number = begun.length;
          begun.push({ key, end: (error) => (error === undefined ? resolve(number) : reject(error)) });
        }),
    );
  return { begun, read };
}

describe("sharing reads", () => {
  it("gives whoever asks during a read the next one, however many they are", async () => {
    const { begun, read } = manualReads();
    const first = read("a");
    const later = [read("a"), read("a"), read("a")];
    expect(begun).toHaveLength(1);
    begun[0]?.end();
    expect(await first).toBe(0);
    await expect.poll(() => begun.length).toBe(2);
    const latest = read("a");
    begun[1]?.end();
    expect(await Promise.all(later)).toEqual([1, 1, 1]);
    await expect.poll(() => begun.length).toBe(3);
    begun[2]?.end();
    expect(await latest).toBe(2);
  });

  it("begins anew after the last has ended, and keeps keys apart", async () => {
    const { begun, read } = manualReads();
    const reads = [read("a"), read("b")];
    for (const { end } of begun) end();
    expect(await Promise.all(reads)).toEqual([0, 1]);
    const again = read("a");
    begun[2]?.end();
    expect(await again).toBe(2);
    expect(begun.map(({ key }) => key)).toEqual(["a", "b", "a"]);
  });

  it("does not give one read's failure to those who share the next", async () => {
    const { begun, read } = manualReads();
    const first = read("a");
    const second = read("a");
    begun[0]?.end(new Error("broken"));
    await expect(first).rejects.toThrow("broken");
    await expect.poll(() => begun.length).toBe(2);
    begun[1]?.end();
    expect(await second).toBe(1);
  });
});
