/** The files in a state directory that others than the service look for. */
export const adminTokenFile = "admin-token";
export const adminUrlFile = "admin-url";
