import * as pulumi from "@pulumi/pulumi";

/** Where one reconciler is. */
export interface ReconcilerArgs {
  /** The address of its admin API, for example `https://firerunner.example.com:8472`. */
  endpoint: pulumi.Input<string>;
  /** The bearer token of its admin API; kept as a secret. */
  token: pulumi.Input<string>;
}

/**
 * A reconciler by name, for programs that declare to more than one: resources with `{ provider: reconciler }` go there.
 * Without one, a stack's `firerunner:endpoint` and `firerunner:token` say where.
 */
export class Reconciler extends pulumi.ProviderResource {
  constructor(name: string, args: ReconcilerArgs, opts?: pulumi.ResourceOptions) {
    super("pulumi-nodejs", name, { "firerunner:endpoint": args.endpoint, "firerunner:token": pulumi.secret(args.token) }, opts);
  }
}
