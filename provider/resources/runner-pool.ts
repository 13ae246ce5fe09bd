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

/** How many microVMs are kept ready for some hours. */
export interface PoolIdlePolicyArgs {
  /** Cron expressions of five fields: each names the minutes in which the policy holds, for example `* 8-18 * * 1-5`. */
  periods: pulumi.Input<pulumi.Input<string>[]>;
  /** The IANA time zone of the periods, for example `Europe/Berlin`. Default: `UTC`. */
  timezone?: pulumi.Input<string> | undefined;
  /** How many microVMs without a credential are kept ready. Default: 0. */
  minIdle?: pulumi.Input<number> | undefined;
  /** How long a microVM beyond these may idle, in seconds. Default: 300. */
  idleTimeS?: pulumi.Input<number> | undefined;
  /** Keeps so many ready for each one in use, when that is more than `minIdle`; at most 10. Default: 0. */
  scaleFactor?: pulumi.Input<number> | undefined;
  /** How many `scaleFactor` keeps ready at most; 0 is no limit. Default: 0. */
  scaleFactorLimit?: pulumi.Input<number> | undefined;
}

/** With `executor: docker`: how jobs' containers are made. */
export interface PoolDockerArgs {
  /** The container image of jobs that name none. */
  image: pulumi.Input<string>;
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
  /** Takes jobs of protected refs only (`ref_protected`), or of any ref. Default: `not_protected`. Changes in place. */
  accessLevel?: pulumi.Input<"not_protected" | "ref_protected"> | undefined;
  /** The only projects whose jobs are taken, by their numbers. Default: all of the connection's scope. Changes in place. */
  projectIds?: pulumi.Input<pulumi.Input<number>[]> | undefined;
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
  /** Keeps so many ready for each one in use, when that is more than `minIdle`; at most 10. Default: 0. Changes in place. */
  scaleFactor?: pulumi.Input<number> | undefined;
  /** How many `scaleFactor` keeps ready at most; 0 is no limit. Default: 0. Changes in place. */
  scaleFactorLimit?: pulumi.Input<number> | undefined;
  /** Other numbers for some hours; of those whose period holds the last one counts. Default: none. Changes in place. */
  idlePolicies?: pulumi.Input<pulumi.Input<PoolIdlePolicyArgs>[]> | undefined;
  /** How many microVMs at most. Changes in place; what runs beyond it ends. */
  maxMicrovms: pulumi.Input<number>;
  /** How many of them one project's jobs get at most. Default: no bound but `maxMicrovms`. Changes in place. */
  maxMicrovmsPerProject?: pulumi.Input<number> | undefined;
  /** How long a job may run, in seconds, at most 7 days. Default: 3600. Changes in place, for new jobs. */
  maxJobTimeoutS?: pulumi.Input<number> | undefined;
  /** How long a microVM may take from its creation to its claim, in seconds, at most 3600. Default: 120. Changes in place. */
  bootTimeoutS?: pulumi.Input<number> | undefined;
  /** After how many failed tries of its host a microVM is replaced on another one, at most 10. Default: 3. Changes in place. */
  createTries?: pulumi.Input<number> | undefined;
  /**
   * What becomes of a job whose microVM was lost: it is told of (`report`), cancelled, or cancelled and retried once per job
   * name and pipeline. Default: `report`. Changes in place.
   */
  onVmLoss?: pulumi.Input<"report" | "cancel" | "cancel-and-retry"> | undefined;
  /** What runs the jobs' commands: gitlab-runner's `shell`, or `docker` where the image has an engine. Default: `shell`. Changes in place. */
  executor?: pulumi.Input<"shell" | "docker"> | undefined;
  /** Needed with `executor: docker`. Changes in place. */
  docker?: pulumi.Input<PoolDockerArgs> | undefined;
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
  "accessLevel",
  "projectIds",
  "sizes",
  "size",
  "limits",
  "minIdle",
  "idleTimeS",
  "scaleFactor",
  "scaleFactorLimit",
  "idlePolicies",
  "maxMicrovms",
  "maxMicrovmsPerProject",
  "maxJobTimeoutS",
  "bootTimeoutS",
  "createTries",
  "onVmLoss",
  "executor",
  "docker",
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
