import { z } from "zod";
import { nameSchema, timestampSchema } from "./fields.js";
import type { Host } from "./host.js";

/** How many images of one host are remembered: what ran there longest ago is forgotten first. */
export const keptImages = 64;

/**
 * Which images a host has run, what ran last first: kernels and root file systems, each by the reference under which it was declared. Learned
 * from guests that claimed; a host keeps what it pulled.
 */
export const hostImagesSchema = z.strictObject({
  host: nameSchema,
  /** Where the host answered then. A host that answers elsewhere is another machine, with a disk of its own. */
  endpoint: z.string().min(1),
  /** `ranAt` is when a guest that boots it last claimed, to the hour. */
  images: z.array(z.strictObject({ reference: z.string().min(1), ranAt: timestampSchema })).max(keptImages),
});
export type HostImages = z.output<typeof hostImagesSchema>;

/** That images run on a host at `now`: they come first. What is beyond the bound, or was learned of another machine, is left out. */
export function imagesRan(known: HostImages | undefined, { name, endpoint }: Host, references: readonly string[], now: number): HostImages {
  const before = known?.endpoint === endpoint ? known.images : [];
  const ran = [...new Set(references)].map((reference) => ({ reference, ranAt: now }));
  const others = before.filter(({ reference }) => !references.includes(reference));
  return { host: name, endpoint, images: [...ran, ...others].slice(0, keptImages) };
}

const refreshMs = 3_600_000;

/** Whether a host is known to have run all of these, and of none that is long ago enough to be written down again. */
export function isFreshlyKnown(known: HostImages | undefined, { endpoint }: Host, references: readonly string[], now: number): boolean {
  if (known?.endpoint !== endpoint) return false;
  return references.every((wanted) =>
    known.images.some(({ reference, ranAt }) => reference === wanted && ranAt > now - refreshMs && ranAt <= now + refreshMs),
  );
}
