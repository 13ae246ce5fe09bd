import * as pulumi from "@pulumi/pulumi";
import { checkFleet } from "./fleet-check.js";
import { FlintlockHost, type FlintlockHostArgs } from "./flintlock-host.js";
import { GitLabConnection, type GitLabConnectionArgs } from "./gitlab-connection.js";
import { MicrovmImage, type MicrovmImageArgs } from "./microvm-image.js";
import { RunnerPool, type RunnerPoolArgs } from "./runner-pool.js";

/** One of a fleet's records: its name must be known when the program runs. */
type Named<Args> = Omit<Args, "name"> & { name: string };

/** A whole fleet, in the form of the fleet file. */
export interface RunnerFleetArgs {
  /** The hosts. */
  hosts?: Named<FlintlockHostArgs>[] | undefined;
  /** The images. */
  images?: Named<MicrovmImageArgs>[] | undefined;
  /** The connections. */
  connections?: Named<GitLabConnectionArgs & { kind?: "gitlab" }>[] | undefined;
  /** The pools, in the order in which they are tried for a job; they name images and connections of this fleet, or others that are declared. */
  pools?: Named<RunnerPoolArgs>[] | undefined;
  /** `resolveTags` of the images that do not say it themselves. Default: `true`. */
  resolveTags?: boolean | undefined;
}

/** A whole fleet in one: its hosts, images, connections and pools, made and removed in the right order. */
export class RunnerFleet extends pulumi.ComponentResource {
  /** Its hosts. */
  readonly hosts: readonly FlintlockHost[];
  /** Its images. */
  readonly images: readonly MicrovmImage[];
  /** Its connections. */
  readonly connections: readonly GitLabConnection[];
  /** Its pools, in the order in which they are tried. */
  readonly pools: readonly RunnerPool[];

  constructor(name: string, args: RunnerFleetArgs, opts?: pulumi.ComponentResourceOptions) {
    super("firerunner:index:RunnerFleet", name, {}, opts);
    checkFleet(args, `fleet "${name}"`);
    const child = (record: { name: string }): [string, pulumi.CustomResourceOptions] => [`${name}-${record.name}`, { parent: this }];
    this.hosts = (args.hosts ?? []).map((host) => new FlintlockHost(child(host)[0], host, child(host)[1]));
    const images = new Map(
      (args.images ?? []).map((image) => [
        image.name,
        new MicrovmImage(
          child(image)[0],
          { ...(args.resolveTags === undefined ? {} : { resolveTags: args.resolveTags }), ...image },
          child(image)[1],
        ),
      ]),
    );
    const connections = new Map((args.connections ?? []).map((one) => [one.name, new GitLabConnection(child(one)[0], one, child(one)[1])]));
    this.images = [...images.values()];
    this.connections = [...connections.values()];
    const pools: RunnerPool[] = [];
    for (const pool of args.pools ?? []) {
      // One after the other, because the first declared is tried first; after the hosts, so that pools are removed before them.
      const dependsOn = [...this.hosts, ...pools.slice(-1)];
      const resolved = { ...pool, image: nameOf(pool.image, images), connection: nameOf(pool.connection, connections) };
      pools.push(new RunnerPool(child(pool)[0], resolved, { ...child(pool)[1], dependsOn }));
    }
    this.pools = pools;
    this.registerOutputs({ pools: pools.map((pool) => pool.name) });
  }
}

/** What is of this fleet is waited for; any other name stays as it is. */
function nameOf(name: pulumi.Input<string>, own: ReadonlyMap<string, { readonly name: pulumi.Output<string> }>): pulumi.Input<string> {
  return typeof name === "string" ? (own.get(name)?.name ?? name) : name;
}
