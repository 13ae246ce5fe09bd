import fc from "fast-check";
import type { HostImages } from "../model/host-images.js";
import { aHost, anImage, now } from "./snapshot.fixture.js";

const { kernel, rootfs } = anImage();

/** What is known of the images that hosts have run: those of the declared image or others, on hosts that may be others now, or none. */
export const hostImages: fc.Arbitrary<readonly HostImages[]> = fc.uniqueArray(
  fc.record({
    host: fc.constantFrom("host-a", "host-b", "gone"),
    endpoint: fc.constantFrom(aHost().endpoint, aHost().endpoint, "elsewhere:9090"),
    images: fc
      .subarray([kernel.image, rootfs.image, `${rootfs.image}-before`])
      .chain((references) =>
        fc
          .constantFrom(0, 1_000, 3_599_000, 7_200_000, -7_200_000)
          .map((age) => references.map((reference) => ({ reference, ranAt: now - age }))),
      ),
  }),
  { maxLength: 3, selector: ({ host }) => host },
);
