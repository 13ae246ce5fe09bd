/** The files in a state directory that others than the service look for. */
export const adminTokenFile = "admin-token";
export const adminUrlFile = "admin-url";

/** The service's key, where none is named in the service file, and the embedded store there. */
export const keyFile = "key";
export const storeFile = "store.db";

/** What Node has compiled of the service; it may be removed at any time. */
export const compileCacheDirectory = "compiled";
