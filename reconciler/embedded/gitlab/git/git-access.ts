import type { World } from "../world.js";

/** Who asks for a repository: the administrator with an access token, a running job with its own, or nobody known. */
export type GitAccess =
  | { readonly kind: "user"; readonly write: boolean }
  | { readonly kind: "job"; readonly projectId: number }
  | { readonly kind: "nobody" };

/** Reads HTTP basic authentication. A job's user name is `gitlab-ci-token`; with an access token the name does not matter. */
export function accessOf({ tokens, engine }: Pick<World, "tokens" | "engine">, authorization: string | undefined): GitAccess {
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization ?? "")?.[1];
  if (encoded === undefined) return { kind: "nobody" };
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  const user = text.slice(0, colon);
  const password = text.slice(colon + 1);
  if (user === "gitlab-ci-token") {
    const found = engine.jobByToken(password);
    return found === undefined ? { kind: "nobody" } : { kind: "job", projectId: found.run.pipeline.projectId };
  }
  const scopes = tokens.find(password)?.scopes ?? [];
  const write = scopes.includes("api") || scopes.includes("write_repository");
  return write || scopes.includes("read_repository") ? { kind: "user", write } : { kind: "nobody" };
}
