import type * as pulumi from "@pulumi/pulumi";
import { DeclaredResource, type DeclaredResourceArgs, isOfType } from "./declared-resource.js";

/** What of a machine microVMs may use. */
export interface HostCapacityArgs {
  /** Virtual CPUs. */
  vcpu: pulumi.Input<number>;
  /** Memory in MiB. */
  memoryMb: pulumi.Input<number>;
  /** How many microVMs at once. */
  microvms: pulumi.Input<number>;
}

/** How the reconciler speaks with a host. Give the files of a certificate authority and a client, or say `insecure` by name. */
export interface HostTlsArgs {
  /** `true`: without TLS. Only for a network that you trust; excludes the other fields. */
  insecure?: pulumi.Input<true> | undefined;
  /** A PEM file on the reconciler's machine with the authority that signed the host's certificate. Default: the system's authorities. */
  caFile?: pulumi.Input<string> | undefined;
  /** A PEM file on the reconciler's machine with the client certificate; goes with `keyFile`. */
  certFile?: pulumi.Input<string> | undefined;
  /** A PEM file on the reconciler's machine with the client certificate's key; goes with `certFile`. */
  keyFile?: pulumi.Input<string> | undefined;
}

/** The network of a host's guests. */
export interface HostNetworkArgs {
  /** `static`: FireRunner gives every microVM an address of `subnet`. `dhcp`: the network does. */
  mode: pulumi.Input<"static" | "dhcp">;
  /** With `static`: the guests' network, for example `10.20.0.0/24`. No two hosts may share addresses. */
  subnet?: pulumi.Input<string> | undefined;
  /** With `static`: the gateway, an address of `subnet`. */
  gateway?: pulumi.Input<string> | undefined;
  /** With `static`: up to four name servers. Default: none. */
  nameservers?: pulumi.Input<pulumi.Input<string>[]> | undefined;
  /** The bridge that guests are connected to. Default: the host's own. */
  bridge?: pulumi.Input<string> | undefined;
  /** Whether the host hides its guests' addresses behind its own. Default: `true`. */
  nat?: pulumi.Input<boolean> | undefined;
}

/** A machine with flintlockd on it. */
export interface FlintlockHostArgs extends DeclaredResourceArgs {
  /** `HOST:PORT` of flintlockd's gRPC API, as the reconciler reaches it. A change replaces: the old machine is drained first. */
  endpoint: pulumi.Input<string>;
  /** How the reconciler speaks with it. Default: TLS with the system's authorities. Changes in place. */
  tls?: pulumi.Input<HostTlsArgs> | undefined;
  /** flintlockd's Basic token as a reference that the reconciler resolves: `env:NAME` or `file:PATH`. Changes in place. */
  token?: pulumi.Input<string> | undefined;
  /** What microVMs may use of it. Changes in place; what runs stays. */
  capacity: pulumi.Input<HostCapacityArgs>;
  /** Labels for the selectors of pools. Default: none. Changes in place. */
  labels?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
  /** The guests' network. Changes in place, for new microVMs. */
  network: pulumi.Input<HostNetworkArgs>;
  /**
   * What a removal does with microVMs on it. `drain`: nothing new comes, idle ones go, running jobs end. `forget`: for a
   * machine that never comes back; its microVMs count as gone at once. Default: `drain`.
   */
  onDelete?: pulumi.Input<"drain" | "forget"> | undefined;
}

const inputs = ["name", "endpoint", "tls", "token", "capacity", "labels", "network", "onDelete", "timeouts"] as const;

/** A host: a machine with flintlockd, registered with the reconciler, which probes it and places microVMs on it. */
export class FlintlockHost extends DeclaredResource {
  /** Where flintlockd is. */
  declare readonly endpoint: pulumi.Output<string>;
  /** Its labels. */
  declare readonly labels: pulumi.Output<Record<string, string>>;
  /** What microVMs may use of it. */
  declare readonly capacity: pulumi.Output<{ vcpu: number; memoryMb: number; microvms: number }>;
  /** Whether the host answered when the reconciler asked it last, as of the last `up` or `refresh`. */
  declare readonly reachable: pulumi.Output<boolean>;
  /** Why it did not answer; empty when it did. */
  declare readonly unreachableReason: pulumi.Output<string>;

  constructor(name: string, args: FlintlockHostArgs, opts?: pulumi.CustomResourceOptions);
  /** @internal For `get`. */
  constructor(name: string, args: FlintlockHostArgs | undefined, opts: pulumi.CustomResourceOptions);
  constructor(name: string, args: FlintlockHostArgs | undefined, opts?: pulumi.CustomResourceOptions) {
    super("FlintlockHost", name, args, inputs, opts);
  }

  /** A host that is declared elsewhere; `id` is its name on the reconciler. */
  static get(name: string, id: pulumi.Input<pulumi.ID>, opts?: pulumi.CustomResourceOptions): FlintlockHost {
    return new FlintlockHost(name, undefined, { ...opts, id });
  }

  static override isInstance(value: unknown): value is FlintlockHost {
    return isOfType(value, "FlintlockHost");
  }
}
