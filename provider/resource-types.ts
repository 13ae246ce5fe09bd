import type { DeclaredKind } from "../reconciler/model/declared.js";

/** The resource types, and the kind of record that each declares. They stand in states: they never change their names. */
export const kindOfType = {
  FlintlockHost: "host",
  MicrovmImage: "image",
  GitLabConnection: "connection",
  RunnerPool: "pool",
} as const satisfies Readonly<Record<string, DeclaredKind>>;

export type ResourceType = keyof typeof kindOfType;
export const resourceTypes = Object.keys(kindOfType) as readonly ResourceType[];

/** The type as it stands in URNs and states. Its package is fixed: by it the engine finds the process for dynamic resources. */
export const tokenOf = (type: ResourceType): string => `pulumi-nodejs:dynamic/firerunner:${type}`;

/**
 * The code that a state keeps with every resource, and that the engine runs years later to refresh or delete it. It is
 * the same text for ever: everything that may change is behind `firerunner/dynamic`, in the package that is installed.
 */
export const loaderOf = (type: ResourceType): string => `exports.handler = () => require("firerunner/dynamic").provider("${type}");`;

/** What a resource of each type shows besides its inputs; a program sees an output only when it is named before it is known. */
export const outputsOf = {
  FlintlockHost: ["generation", "managedBy", "schemaVersion", "reachable", "unreachableReason"],
  MicrovmImage: ["generation", "managedBy", "schemaVersion", "pinned"],
  GitLabConnection: ["generation", "managedBy", "schemaVersion", "webhookPath", "webhookUrl", "usable", "unusableReason"],
  RunnerPool: ["generation", "managedBy", "schemaVersion"],
} as const satisfies Readonly<Record<ResourceType, readonly string[]>>;
