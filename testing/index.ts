/**
 * `firerunner/testing`: a Flintlock host and a GitLab for anybody's tests, in the test's own process and on loopback. They
 * are the ones that FireRunner itself is tested against. Nothing here is for production: the process driver isolates
 * nothing, and neither server guards itself against strangers beyond loopback.
 */
export type { EmbeddedGitLab } from "../reconciler/embedded/gitlab/start.js";
export type { ChanceFault, HostCall, HostDials } from "../reconciler/embedded/host/dials.js";
export type { VmDriver, VmRequest } from "../reconciler/embedded/host/driver.js";
export { type FaultList, parseFaultList } from "../reconciler/embedded/host/fault-list.js";
export type { HostTimings } from "../reconciler/embedded/host/host-machine.js";
export { MemoryDriver } from "../reconciler/embedded/host/memory-driver.js";
export type { ProcessDriver } from "../reconciler/embedded/host/process-driver.js";
export { seededRandom } from "../reconciler/embedded/host/seeded-random.js";
export type { EmbeddedHost, EmbeddedMicrovm } from "../reconciler/embedded/host/start-embedded-host.js";
export { type Clock, type Random, systemClock } from "../reconciler/model/clock.js";
export { FireRunnerError } from "../reconciler/model/errors.js";
export { type GitLabOptions, startEmbeddedGitLab } from "./gitlab.js";
export { createProcessDriver, type HostOptions, type ProcessDriverOptions, startEmbeddedHost } from "./host.js";
