import * as pulumi from "@pulumi/pulumi";
import { loaderOf, outputsOf, type ResourceType, tokenOf } from "../resource-types.js";
import { autoName } from "./auto-name.js";

/** How long the operations of one resource may take, in whole seconds. Pulumi's own `customTimeouts` do not reach a dynamic provider. */
export interface TimeoutsArgs {
  /** Until a new record is written and its first state is known. Default: 60. */
  createS?: pulumi.Input<number> | undefined;
  /** Until a changed record is written. Default: 60. */
  updateS?: pulumi.Input<number> | undefined;
  /** Until everything that uses the record has drained. Default: 3900, or a pool's `maxJobTimeoutS` and five minutes. */
  deleteS?: pulumi.Input<number> | undefined;
}

/** What every resource takes. */
export interface DeclaredResourceArgs {
  /**
   * The name on the reconciler: lower-case letters, digits and `-`, at most 40 characters. Default: the resource's name
   * with a suffix of its stack, kept for as long as the resource lives. A change replaces.
   */
  name?: pulumi.Input<string> | undefined;
  /** How long create, update and delete may take. A change is kept for the next operation and touches nothing else. */
  timeouts?: pulumi.Input<TimeoutsArgs> | undefined;
}

/** A resource whose record the reconciler keeps. Its own code is a constant loader of the installed package. */
export abstract class DeclaredResource extends pulumi.CustomResource {
  /** The name on the reconciler. */
  declare readonly name: pulumi.Output<string>;
  /** How often the record's specification was written; somebody else's change moves it too. */
  declare readonly generation: pulumi.Output<number>;
  /** Who declares the record: `pulumi:PROJECT/STACK/RESOURCE`. */
  declare readonly managedBy: pulumi.Output<string>;
  /** The form of these outputs. */
  declare readonly schemaVersion: pulumi.Output<number>;

  protected constructor(
    type: ResourceType,
    name: string,
    args: object | undefined,
    inputs: readonly string[],
    opts?: pulumi.CustomResourceOptions,
  ) {
    super(tokenOf(type), name, propsOf(type, name, args, inputs), opts);
  }
}

function propsOf(type: ResourceType, name: string, args: object | undefined, inputs: readonly string[]): pulumi.Inputs {
  const unset = Object.fromEntries([...inputs, ...outputsOf[type]].map((output) => [output, undefined]));
  if (args === undefined) return { ...unset, __provider: loaderOf(type) };
  const scope = `${pulumi.getProject()}/${pulumi.getStack()}`;
  return {
    ...unset,
    ...args,
    autoName: autoName(scope, name),
    managedBy: `pulumi:${scope}/${name}`,
    __provider: loaderOf(type),
  };
}

/** Whether a value is a resource of a type, also when another copy of this package made it. */
export function isOfType(value: unknown, type: ResourceType): boolean {
  return pulumi.CustomResource.isInstance(value) && "__pulumiType" in value && value.__pulumiType === tokenOf(type);
}
