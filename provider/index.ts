/** The resources that a Pulumi program declares. They need `@pulumi/pulumi`; what does not is in `firerunner/admin`. */
export type { DeclaredResourceArgs, TimeoutsArgs } from "./resources/declared-resource.js";
export {
  FlintlockHost,
  type FlintlockHostArgs,
  type HostCapacityArgs,
  type HostNetworkArgs,
  type HostTlsArgs,
} from "./resources/flintlock-host.js";
export {
  type ConnectionScopeArgs,
  type ConnectionWebhookArgs,
  GitLabConnection,
  type GitLabConnectionArgs,
} from "./resources/gitlab-connection.js";
export { type ImageKernelArgs, type ImageRootfsArgs, MicrovmImage, type MicrovmImageArgs } from "./resources/microvm-image.js";
export { Reconciler, type ReconcilerArgs } from "./resources/reconciler.js";
export { RunnerFleet, type RunnerFleetArgs } from "./resources/runner-fleet.js";
export {
  type PoolLimitsArgs,
  type PoolPlacementArgs,
  type PoolSizeArgs,
  RunnerPool,
  type RunnerPoolArgs,
} from "./resources/runner-pool.js";
