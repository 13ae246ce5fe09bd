import type * as pulumi from "@pulumi/pulumi";
import { DeclaredResource, type DeclaredResourceArgs, isOfType } from "./declared-resource.js";

/** How big a microVM is. */
export interface PoolSizeArgs {
  /** Virtual CPUs: 1 or an even number, at most 32. */
  vcpu: pulumi.Input<number>;
  /** Memory in MiB: 1024 to 32768. */
  memoryMb: pulumi.Input<number>;
}

/** The largest size that a job may ask for. */
export interface PoolLimitsArgs {
  /** Virtual CPUs, at most 32. */
  vcpu: pulumi.Input<number>;
  /** Memory in MiB, at most 32768. */
  memoryMb: pulumi.Input<number>;
}

/** On which hosts microVMs are placed. */
export interface PoolPlacementArgs {
  /** Over many hosts (`spread`) or few (`binpack`). Default: `spread`. */
  strategy?: pulumi.Input<"spread" | "binpack"> | undefined;
  /** Labels that a host must carry. Default: none, any host. */
  selector?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

/** What jobs get. A change rolls parked microVMs and never touches a busy one. */
export interface RunnerPoolArgs extends DeclaredResourceArgs {
  /** The connection's name: the `name` output of a `GitLabConnection`. Changes in place. */
  connection: pulumi.Input<string>;
  /** The image's name: the `name` output of a `MicrovmImage`. Changes in place. */
  image: pulumi.Input<string>;
  /** Tags of the pool's runners. A job is taken when all its tags are among these and its size's tag. Default: none. Changes in place. */
  tags?: pulumi.Input<pulumi.Input<string>[]> | undefined;
  /** Whether jobs without tags are taken. Default: `false`. Changes in place. */
  runUntagged?: pulumi.Input<boolean> | undefined;
  /** Sizes by the job tag that asks for them. Changes in place. */
  sizes: pulumi.Input<Record<string, pulumi.Input<PoolSizeArgs>>>;
  /** The size of jobs whose tags ask for none: one of `sizes`. Changes in place. */
  size: pulumi.Input<string>;
  /** The largest size that a job may ask for by a tag such as `4cpu-8gb`. Default: none, only `sizes` are to be had. Changes in place. */
  limits?: pulumi.Input<PoolLimitsArgs> | undefined;
  /** How many microVMs without a credential are kept ready. Default: 0. Changes in place. */
  minIdle?: pulumi.Input<number> | undefined;
  /** How long a microVM beyond `minIdle` may idle, in seconds. Default: 300. Changes in place. */
  idleTimeS?: pulumi.Input<number> | undefined;
  /** How many microVMs at most. Changes in place; what runs beyond it ends. */
  maxMicrovms: pulumi.Input<number>;
  /** How long a job may run, in seconds, at most 7 days. Default: 3600. Changes in place, for new jobs. */
  maxJobTimeoutS?: pulumi.Input<number> | undefined;
  /** How long a microVM may take from its creation to its claim, in seconds, at most 3600. Default: 120. Changes in place. */
  bootTimeoutS?: pulumi.Input<number> | undefined;
  /** After how many failed tries of its host a microVM is replaced on another one, at most 10. Default: 3. Changes in place. */
  createTries?: pulumi.Input<number> | undefined;
  /** Pools of a higher priority get room first. Default: 0. Changes in place. */
  priority?: pulumi.Input<number> | undefined;
  /** On which hosts. Changes in place, for new microVMs. */
  placement?: pulumi.Input<PoolPlacementArgs> | undefined;
}

const inputs = [
  "name",
  "connection",
  "image",
  "tags",
  "runUntagged",
  "sizes",
  "size",
  "limits",
  "minIdle",
  "idleTimeS",
  "maxMicrovms",
  "maxJobTimeoutS",
  "bootTimeoutS",
  "createTries",
  "priority",
  "placement",
  "timeouts",
] as const;

/** A pool: which jobs get a microVM, of what size and image, and how many. */
export class RunnerPool extends DeclaredResource {
  /** The connection's name. */
  declare readonly connection: pulumi.Output<string>;
  /** The image's name. */
  declare readonly image: pulumi.Output<string>;
  /** Tags of its runners. */
  declare readonly tags: pulumi.Output<string[]>;
  /** The size of jobs whose tags ask for none. */
  declare readonly size: pulumi.Output<string>;
  /** How many microVMs are kept ready. */
  declare readonly minIdle: pulumi.Output<number>;
  /** How many microVMs at most. */
  declare readonly maxMicrovms: pulumi.Output<number>;

  constructor(name: string, args: RunnerPoolArgs, opts?: pulumi.CustomResourceOptions);
  /** @internal For `get`. */
  constructor(name: string, args: RunnerPoolArgs | undefined, opts: pulumi.CustomResourceOptions);
  constructor(name: string, args: RunnerPoolArgs | undefined, opts?: pulumi.CustomResourceOptions) {
    super("RunnerPool", name, args, inputs, opts);
  }

  /** A pool that is declared elsewhere; `id` is its name on the reconciler. */
  static get(name: string, id: pulumi.Input<pulumi.ID>, opts?: pulumi.CustomResourceOptions): RunnerPool {
    return new RunnerPool(name, undefined, { ...opts, id });
  }

  static override isInstance(value: unknown): value is RunnerPool {
    return isOfType(value, "RunnerPool");
  }
}
