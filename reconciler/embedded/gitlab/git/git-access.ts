import { isActive } from "../records/tokens.js";
import type { User } from "../records/user.js";
import type { World } from "../world.js";

/** Who asks for a repository: a user with an access token, a running job with its own, or nobody known. */
export type GitAccess =
  | { readonly kind: "user"; readonly user: User; readonly write: boolean }
  | { readonly kind: "job"; readonly projectId: number }
  | { readonly kind: "nobody" };

type Known = Pick<World, "tokens" | "users" | "engine" | "clock">;

/** Reads HTTP basic authentication. A job's user name is `gitlab-ci-token`; with an access token the name does not matter. */
export function accessOf({ tokens, users, engine, clock }: Known, authorization: string | undefined): GitAccess {
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization ?? "")?.[1];
  if (encoded === undefined) return { kind: "nobody" };
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  const name = text.slice(0, colon);
  const password = text.slice(colon + 1);
  if (name === "gitlab-ci-token") {
    const found = engine.jobByToken(password);
    return found === undefined ? { kind: "nobody" } : { kind: "job", projectId: found.run.pipeline.projectId };
  }
  const token = tokens.find(password);
  const user = token !== undefined && isActive(token, clock.now()) ? users.find(token.userId) : undefined;
  if (token === undefined || user === undefined) return { kind: "nobody" };
  const write = token.scopes.includes("api") || token.scopes.includes("write_repository");
  return write || token.scopes.includes("read_repository") ? { kind: "user", user, write } : { kind: "nobody" };
}
