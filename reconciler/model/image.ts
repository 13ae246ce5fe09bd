import { z } from "zod";
import { nameSchema } from "./fields.js";

/** An OCI reference: registry path with a tag or, better, a digest. */
const imageReferenceSchema = z
  .string()
  .max(512)
  .regex(
    /^[a-z0-9][a-z0-9._:/-]*(@sha256:[0-9a-f]{64})?$/i,
    "must be an image reference such as registry.example/kernel:6.1 or …@sha256:<64 hex>",
  );

/** A kernel and a root file system that microVMs boot. */
export const imageSchema = z.strictObject({
  name: nameSchema,
  kernel: z.strictObject({
    image: imageReferenceSchema,
    /** The kernel's file inside its image. */
    filename: z.string().min(1).max(255).default("boot/vmlinux"),
    /** Kernel arguments beyond the host's own. */
    cmdline: z.record(z.string().min(1), z.string()).default({}),
  }),
  rootfs: z.strictObject({ image: imageReferenceSchema }),
  /** How the guest agent starts: it is in the image, or cloud-init puts it there. */
  bootstrap: z.enum(["agent", "cloud-init"]).default("agent"),
  arch: z.enum(["amd64", "arm64"]).default("amd64"),
});
export type Image = z.output<typeof imageSchema>;
export type ImageInput = z.input<typeof imageSchema>;

/** What a microVM of the image boots, as text to compare. */
export const bootsOf = ({ kernel, rootfs }: Image): string => `${kernel.image} ${kernel.filename} ${rootfs.image}`;

/** The references of the kernel's and the root file system's image in what `bootsOf` gave: neither holds a blank. */
export const referencesOf = (boots: string): readonly [kernel: string, rootfs: string] => [
  boots.slice(0, boots.indexOf(" ")),
  boots.slice(boots.lastIndexOf(" ") + 1),
];
