import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aHost, anImage } from "../plan/snapshot.fixture.js";
import { type HostImages, hostImagesSchema, imagesRan, isFreshlyKnown, keptImages } from "./host-images.js";
import { bootsOf, referencesOf } from "./image.js";

const host = aHost();
const reference = fc.integer({ min: 0, max: 90 }).map((n) => `registry.example/image:${n}`);
const claims = fc.array(fc.record({ references: fc.array(reference, { minLength: 1, maxLength: 2 }), afterMs: fc.nat(4_000_000) }));

describe("the images that a host has run", () => {
  it("are those that ran last, each once, and never more than are kept", () => {
    fc.assert(
      fc.property(claims, (drawn) => {
        let known: HostImages | undefined;
        let now = 0;
        const order: string[] = [];
        for (const { references, afterMs } of drawn) {
          now += afterMs;
          known = imagesRan(known, host, references, now);
          for (const each of new Set(references)) {
            if (order.includes(each)) order.splice(order.indexOf(each), 1);
          }
          order.unshift(...new Set(references));
          expect(isFreshlyKnown(known, host, references, now)).toBe(true);
        }
        expect(known?.images.map((image) => image.reference) ?? []).toEqual(order.slice(0, keptImages));
        if (known !== undefined) expect(hostImagesSchema.safeParse(known).success).toBe(true);
      }),
    );
  });

  it("are none of another machine at the same name", () => {
    const known = imagesRan(undefined, host, ["a", "b"], 1);
    const moved = aHost({ endpoint: "127.0.0.1:9999" });
    expect(isFreshlyKnown(known, moved, ["a"], 1)).toBe(false);
    expect(imagesRan(known, moved, ["c"], 2)).toEqual({
      host: host.name,
      endpoint: moved.endpoint,
      images: [{ reference: "c", ranAt: 2 }],
    });
  });

  it("are written down again after an hour, or when the clock was set back by one", () => {
    const known = imagesRan(undefined, host, ["a"], 10_000_000);
    for (const [at, fresh] of [
      [10_000_000, true],
      [13_599_999, true],
      [13_600_000, false],
      [6_399_999, false],
    ] as const) {
      expect(isFreshlyKnown(known, host, ["a"], at)).toBe(fresh);
    }
    expect(isFreshlyKnown(known, host, ["a", "b"], 10_000_000)).toBe(false);
  });

  it("are told by what a microVM boots, whatever its kernel's file is called", () => {
    const image = anImage({ kernel: { image: "registry.example/kernel:6.1", filename: "boot/a kernel", cmdline: {} } });
    expect(referencesOf(bootsOf(image))).toEqual(["registry.example/kernel:6.1", "registry.example/root:1"]);
  });
});
