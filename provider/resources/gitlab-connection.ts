import type * as pulumi from "@pulumi/pulumi";
import { DeclaredResource, type DeclaredResourceArgs, isOfType } from "./declared-resource.js";

/** What of the GitLab the runners serve: exactly one of the three. */
export interface ConnectionScopeArgs {
  /** One project, by its number. */
  projectId?: pulumi.Input<number> | undefined;
  /** One group and what is below it, by its number. */
  groupId?: pulumi.Input<number> | undefined;
  /** `true`: the whole instance. */
  instance?: pulumi.Input<true> | undefined;
}

/** How webhooks come, and how they are told from forged ones. */
export interface ConnectionWebhookArgs {
  /** What GitLab sends as `X-Gitlab-Token`, as a reference: `env:NAME` or `file:PATH`. */
  secret?: pulumi.Input<string> | undefined;
  /** GitLab's signing token (`whsec_…`), as a reference: `env:NAME` or `file:PATH`. */
  signingToken?: pulumi.Input<string> | undefined;
  /** While the secret is being changed: the one before, which is accepted as well, as a reference. */
  previousSecret?: pulumi.Input<string> | undefined;
  /** While the signing token is being changed: the one before, which is accepted as well, as a reference. */
  previousSigningToken?: pulumi.Input<string> | undefined;
  /**
   * Whether the reconciler makes and keeps GitLab's webhook itself. It needs to know its public address
   * (`listeners.public.url`), and a token that may. Default: `false`.
   */
  register?: pulumi.Input<boolean> | undefined;
}

/** One GitLab and one credential for it. */
export interface GitLabConnectionArgs extends DeclaredResourceArgs {
  /** GitLab's own address, for example `https://gitlab.example.com`. Changes in place. */
  url: pulumi.Input<string>;
  /**
   * A token that may create runners and read jobs (`api`, or `create_runner`, `manage_runner` and `read_api`), as a
   * reference that the reconciler resolves: `env:NAME` or `file:PATH`. The token itself never reaches Pulumi. Changes in place.
   */
  token: pulumi.Input<string>;
  /** What its runners serve. Changes in place; runners that wait for a job are replaced. */
  scope: pulumi.Input<ConnectionScopeArgs>;
  /** How its webhooks are told from forged ones. Default: none, and every webhook is refused. Changes in place. */
  webhook?: pulumi.Input<ConnectionWebhookArgs> | undefined;
  /** How many requests a minute its credential may make. Default: what GitLab itself says. Changes in place. */
  maxRequestsPerMinute?: pulumi.Input<number> | undefined;
  /**
   * Whether a runner that never takes a job is kept for each class whose jobs wait long, so that GitLab does not give them up.
   * Default: `true`. Changes in place.
   */
  presenceRunners?: pulumi.Input<boolean> | undefined;
}

const inputs = ["name", "url", "token", "scope", "webhook", "maxRequestsPerMinute", "presenceRunners", "timeouts"] as const;

/** A connection: one GitLab whose jobs get microVMs. */
export class GitLabConnection extends DeclaredResource {
  /** The GitLab's address. */
  declare readonly url: pulumi.Output<string>;
  /** Where GitLab's webhook goes on the reconciler's public address, for example `/webhooks/gitlab/main`. */
  declare readonly webhookPath: pulumi.Output<string>;
  /** The whole address that GitLab's webhook goes to; empty when the reconciler does not know its public address. */
  declare readonly webhookUrl: pulumi.Output<string>;
  /**
   * Whether the forge answered and the token may do what is needed when the reconciler asked it last, as of the last `up`
   * or `refresh`. One that is not fails nothing: `up` warns, and says why.
   */
  declare readonly usable: pulumi.Output<boolean>;
  /** Why it is not; empty when it is. */
  declare readonly unusableReason: pulumi.Output<string>;

  constructor(name: string, args: GitLabConnectionArgs, opts?: pulumi.CustomResourceOptions);
  /** @internal For `get`. */
  constructor(name: string, args: GitLabConnectionArgs | undefined, opts: pulumi.CustomResourceOptions);
  constructor(name: string, args: GitLabConnectionArgs | undefined, opts?: pulumi.CustomResourceOptions) {
    super("GitLabConnection", name, args === undefined ? undefined : { kind: "gitlab", ...args }, ["kind", ...inputs], opts);
  }

  /** A connection that is declared elsewhere; `id` is its name on the reconciler. */
  static get(name: string, id: pulumi.Input<pulumi.ID>, opts?: pulumi.CustomResourceOptions): GitLabConnection {
    return new GitLabConnection(name, undefined, { ...opts, id });
  }

  static override isInstance(value: unknown): value is GitLabConnection {
    return isOfType(value, "GitLabConnection");
  }
}
