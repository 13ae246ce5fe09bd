import { createHash } from "node:crypto";
import type { Clock, Random } from "../../../model/clock.js";
import type { Membership } from "./members.js";
import { administrator } from "./user.js";

/** What an access token may be used for. */
export const tokenScopes = [
  "api",
  "read_api",
  "read_user",
  "create_runner",
  "manage_runner",
  "read_repository",
  "write_repository",
  "self_rotate",
] as const;
export type TokenScope = (typeof tokenScopes)[number];

/** A token of a person, or of a project or group (`of`), whose bot then holds it. Times are milliseconds since the epoch. */
export interface AccessToken {
  readonly id: number;
  readonly name: string;
  readonly scopes: readonly TokenScope[];
  readonly userId: number;
  readonly of: Membership | undefined;
  readonly createdAt: number;
  /** From then on it is refused; undefined: never. */
  readonly expiresAt: number | undefined;
  readonly revoked: boolean;
}

export type NewToken = Pick<AccessToken, "name" | "scopes" | "userId" | "of" | "expiresAt">;

/** The access tokens. The first one never goes away. */
export interface Tokens {
  /** The token as it is kept, also when it was revoked or has expired. */
  find(token: string): AccessToken | undefined;
  byId(id: number): AccessToken | undefined;
  all(): readonly AccessToken[];
  /** The token itself is shown only here. */
  add(made: NewToken): { readonly token: string; readonly record: AccessToken };
  /** False when there is no such token that is good, or it is the first one. */
  revoke(id: number): boolean;
}

/** `first` is the administrator's token with the scope `api`. Only digests are kept and compared. */
export function createTokens(first: string, clock: Pick<Clock, "now">, random: Random): Tokens {
  const tokens = new Map<string, AccessToken>();
  const digest = (token: string) => createHash("sha256").update(token).digest("hex");
  let lastId = 0;
  function keep(token: string, made: NewToken): AccessToken {
    lastId += 1;
    const record = { ...made, id: lastId, createdAt: clock.now(), revoked: false };
    tokens.set(digest(token), record);
    return record;
  }
  keep(first, { name: "administrator", scopes: ["api"], userId: administrator.id, of: undefined, expiresAt: undefined });

  return {
    find: (token) => tokens.get(digest(token)),
    byId: (id) => [...tokens.values()].find((record) => record.id === id),
    all: () => [...tokens.values()],
    add(made) {
      const token = `glpat-${random.hex(10)}`;
      return { token, record: keep(token, made) };
    },
    revoke(id) {
      const held = [...tokens].find(([, record]) => record.id === id);
      if (held === undefined || id === 1 || held[1].revoked) return false;
      tokens.set(held[0], { ...held[1], revoked: true });
      return true;
    },
  };
}

/** Whether the token is good at `now`. */
export const isActive = (token: AccessToken, now: number): boolean =>
  !token.revoked && (token.expiresAt === undefined || now < token.expiresAt);
