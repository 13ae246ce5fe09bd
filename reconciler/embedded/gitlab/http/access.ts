import type { FastifyRequest } from "fastify";
import { type AccessToken, isActive, type TokenScope } from "../records/tokens.js";
import type { User } from "../records/user.js";
import type { World } from "../world.js";
import { expiredToken, insufficientScope, revokedToken, unauthorized } from "./refusal.js";

/** Who asks, and with which token. */
export interface Caller {
  readonly token: AccessToken;
  readonly user: User;
}

type Known = Pick<World, "tokens" | "users" | "clock">;

/** The access token of a request, from where GitLab looks for it. */
export function accessTokenOf(request: FastifyRequest): string | undefined {
  const header = request.headers["private-token"];
  if (typeof header === "string") return header;
  const bearer = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (bearer !== undefined) return bearer;
  const { private_token: query } = request.query as { readonly private_token?: unknown };
  return typeof query === "string" ? query : undefined;
}

/** Who made the request, whatever the token may do; 401 without a token, or with one that is not good any more. */
export function callerOf({ tokens, users, clock }: Known, request: FastifyRequest): Caller {
  const token = tokens.find(accessTokenOf(request) ?? "");
  if (token === undefined) throw unauthorized();
  if (token.revoked) throw revokedToken();
  if (!isActive(token, clock.now())) throw expiredToken();
  const user = users.find(token.userId);
  if (user === undefined) throw unauthorized();
  return { token, user };
}

/** Makes a hook that lets requests pass whose token has `api` or one of `scopes`; others get 401 or 403. */
export function needs(world: Known, ...scopes: readonly TokenScope[]) {
  const allowed: readonly TokenScope[] = ["api", ...scopes];
  return {
    onRequest: async (request: FastifyRequest): Promise<void> => {
      const { token } = callerOf(world, request);
      if (!token.scopes.some((scope) => allowed.includes(scope))) throw insufficientScope(allowed);
    },
  };
}
