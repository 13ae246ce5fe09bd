import { type AccessToken, isActive } from "../records/tokens.js";
import { isoTime } from "./times.js";

/** An access token as REST shows it; the token itself is shown only when it is made. */
export const tokenEntity = (token: AccessToken, now: number) => ({
  id: token.id,
  name: token.name,
  revoked: token.revoked,
  created_at: isoTime(token.createdAt),
  description: null,
  scopes: token.scopes,
  user_id: token.userId,
  last_used_at: null,
  active: isActive(token, now),
  expires_at: token.expiresAt === undefined ? null : new Date(token.expiresAt).toISOString().slice(0, 10),
});
