import { z } from "zod";
import { FireRunnerError } from "../../reconciler/model/errors.js";
import type { Image } from "../../reconciler/model/image.js";
import type { Refusal } from "../../reconciler/model/validation.js";
import { resolveDigest } from "../registry/resolve-digest.js";
import { isBag } from "./bags.js";
import { declaredHandler } from "./declared-handler.js";
import type { Bag } from "./handler.js";
import { hasUnknown, unknown } from "./unknowns.js";

const deleteS = 3_900;
const parts = ["kernel", "rootfs"] as const;
const resolvedSchema = z.strictObject({ kernel: z.string().optional(), rootfs: z.string().optional() });
type Resolved = z.output<typeof resolvedSchema>;

/**
 * The life of a `MicrovmImage`. Tags are resolved when inputs are checked, so that a moved tag is a changed input: a preview
 * shows it, and every host boots the same. The record holds digests; the inputs keep the tags that were written.
 */
export const imageHandler = declaredHandler<"image">({
  kind: "image",
  own: { resolveTags: z.boolean().optional(), resolved: resolvedSchema.optional() },
  replacedBy: ["name"],
  alone: false,
  deleteS: () => deleteS,
  whenUsed: () => "refuse",
  complete: resolveTags,
  written: (image, own) => pinned(image, resolvedOf(own)),
  declared(image, outs) {
    const resolved = resolvedOf(outs);
    const spec = { ...image };
    const kept: Record<string, string> = {};
    for (const part of parts) {
      const tagged = isBag(outs[part]) ? outs[part].image : undefined;
      const digest = resolved[part];
      if (digest === undefined || digest !== image[part].image || typeof tagged !== "string") continue;
      Object.assign(spec, { [part]: { ...image[part], image: tagged } });
      kept[part] = digest;
    }
    return { spec, own: { resolved: Object.keys(kept).length === 0 ? undefined : kept } };
  },
  observe: async (_context, image) => ({ pinned: { kernel: image.kernel.image, rootfs: image.rootfs.image } }),
});

/** Puts the digests of tags beside them: `resolved` holds what is not a digest already. */
async function resolveTags(
  { resolved: _before, ...inputs }: Bag,
  signal: AbortSignal,
): Promise<{ inputs: Bag; failures: readonly Refusal[] }> {
  if (inputs.resolveTags === false) return { inputs, failures: [] };
  const resolved: Record<string, string> = {};
  const failures: Refusal[] = [];
  const arch = inputs.arch ?? "amd64";
  await Promise.all(
    parts.map(async (part) => {
      const own = inputs[part];
      const reference = isBag(own) ? own.image : undefined;
      if (typeof reference !== "string" || reference.includes("@sha256:")) return;
      if (hasUnknown([reference, arch, inputs.resolveTags])) {
        resolved[part] = unknown;
        return;
      }
      try {
        resolved[part] = await resolveDigest(reference, { arch: String(arch), signal });
      } catch (caught) {
        const error = FireRunnerError.from(caught, "FR-CONFIG", `resolving ${reference}`);
        failures.push({
          field: `${part}.image`,
          message: `${error.message}; give a digest, or resolveTags: false to leave the tag to the hosts`,
        });
      }
    }),
  );
  return { inputs: Object.keys(resolved).length === 0 ? inputs : { ...inputs, resolved }, failures };
}

function resolvedOf(bag: Bag): Resolved {
  const parsed = resolvedSchema.safeParse(bag.resolved);
  return parsed.success ? parsed.data : {};
}

const pinned = (image: Image, { kernel, rootfs }: Resolved): Image => ({
  ...image,
  kernel: { ...image.kernel, image: kernel ?? image.kernel.image },
  rootfs: { ...image.rootfs, image: rootfs ?? image.rootfs.image },
});
