import type * as pulumi from "@pulumi/pulumi";
import { DeclaredResource, type DeclaredResourceArgs, isOfType } from "./declared-resource.js";

/** A kernel in an image. */
export interface ImageKernelArgs {
  /** The OCI reference of the kernel's image, with a tag or a digest. */
  image: pulumi.Input<string>;
  /** The kernel's file inside that image. Default: `boot/vmlinux`. */
  filename?: pulumi.Input<string> | undefined;
  /** Kernel arguments beyond the host's own. Default: none. */
  cmdline?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

/** A root file system. */
export interface ImageRootfsArgs {
  /** The OCI reference of the root file system, with a tag or a digest. */
  image: pulumi.Input<string>;
}

/** A kernel and a root file system that microVMs boot. */
export interface MicrovmImageArgs extends DeclaredResourceArgs {
  /** The kernel. Changes in place: new microVMs boot it, parked ones are replaced, busy ones end their jobs. */
  kernel: pulumi.Input<ImageKernelArgs>;
  /** The root file system. Changes in place, like the kernel. */
  rootfs: pulumi.Input<ImageRootfsArgs>;
  /** How the guest agent starts: it is in the image, or cloud-init puts it there. Default: `agent`. Changes in place. */
  bootstrap?: pulumi.Input<"agent" | "cloud-init"> | undefined;
  /** The processor architecture; it also chooses from a multi-arch index. Default: `amd64`. Changes in place. */
  arch?: pulumi.Input<"amd64" | "arm64"> | undefined;
  /**
   * Whether tags are resolved to digests at their registry, from the machine that runs Pulumi, so that a preview shows when
   * a tag has moved and every host boots the same. `false` hands tags to the hosts as they are. Default: `true`.
   */
  resolveTags?: pulumi.Input<boolean> | undefined;
}

const inputs = ["name", "kernel", "rootfs", "bootstrap", "arch", "resolveTags", "timeouts"] as const;

/** An image: what microVMs of pools boot, pinned by digest. */
export class MicrovmImage extends DeclaredResource {
  /** The kernel as it was written, with its tag. */
  declare readonly kernel: pulumi.Output<{ image: string; filename: string; cmdline: Record<string, string> }>;
  /** The root file system as it was written, with its tag. */
  declare readonly rootfs: pulumi.Output<{ image: string }>;
  /** The references with digests that the hosts are given. */
  declare readonly pinned: pulumi.Output<{ kernel: string; rootfs: string }>;

  constructor(name: string, args: MicrovmImageArgs, opts?: pulumi.CustomResourceOptions);
  /** @internal For `get`. */
  constructor(name: string, args: MicrovmImageArgs | undefined, opts: pulumi.CustomResourceOptions);
  constructor(name: string, args: MicrovmImageArgs | undefined, opts?: pulumi.CustomResourceOptions) {
    super("MicrovmImage", name, args, inputs, opts);
  }

  /** An image that is declared elsewhere; `id` is its name on the reconciler. */
  static get(name: string, id: pulumi.Input<pulumi.ID>, opts?: pulumi.CustomResourceOptions): MicrovmImage {
    return new MicrovmImage(name, undefined, { ...opts, id });
  }

  static override isInstance(value: unknown): value is MicrovmImage {
    return isOfType(value, "MicrovmImage");
  }
}
