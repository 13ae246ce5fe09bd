/** What a program that runs without Pulumi imports from `firerunner/admin`: the types and checks of declarations, and the admin API's calls. */
export type { ConnectionInput } from "../reconciler/model/connection.js";
export { type DeclaredKind, declaredSchemas } from "../reconciler/model/declared.js";
export { type ErrorCode, errorCodes, FireRunnerError } from "../reconciler/model/errors.js";
export { type FleetInput, fleetRefusals, fleetSchema } from "../reconciler/model/fleet.js";
export type { HostInput } from "../reconciler/model/host.js";
export type { ImageInput } from "../reconciler/model/image.js";
export type { PoolInput } from "../reconciler/model/pool.js";
export { type AdminApi, deleteDeclared, getDeclared, putDeclared } from "./admin-api.js";
