import type { FastifyRequest } from "fastify";
import type { AccessToken, TokenScope } from "../records/tokens.js";
import type { World } from "../world.js";
import { insufficientScope, unauthorized } from "./refusal.js";

/** The access token of a request, from where GitLab looks for it. */
function accessTokenOf(request: FastifyRequest): string | undefined {
  const header = request.headers["private-token"];
  if (typeof header === "string") return header;
  const bearer = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (bearer !== undefined) return bearer;
  const { private_token: query } = request.query as { readonly private_token?: unknown };
  return typeof query === "string" ? query : undefined;
}

/** The token that a request was made with, whatever it may do; 401 without one. */
export function ownToken({ tokens }: Pick<World, "tokens">, request: FastifyRequest): AccessToken {
  const token = tokens.find(accessTokenOf(request) ?? "");
  if (token === undefined) throw unauthorized();
  return token;
}

/** Makes a hook that lets requests pass whose token has `api` or one of `scopes`; others get 401 or 403. */
export function needs(world: Pick<World, "tokens">, ...scopes: readonly TokenScope[]) {
  const allowed: readonly TokenScope[] = ["api", ...scopes];
  return {
    onRequest: async (request: FastifyRequest): Promise<void> => {
      const token = ownToken(world, request);
      if (!token.scopes.some((scope) => allowed.includes(scope))) throw insufficientScope(allowed);
    },
  };
}
