import { createHash } from "node:crypto";
import type { Clock, Random } from "../../../model/clock.js";

/** What a personal access token may be used for. */
export const tokenScopes = ["api", "read_api", "create_runner", "manage_runner", "read_repository", "write_repository"] as const;
export type TokenScope = (typeof tokenScopes)[number];

export interface AccessToken {
  readonly id: number;
  readonly name: string;
  readonly scopes: readonly TokenScope[];
  readonly createdAt: number;
}

/** The administrator's access tokens. The first one never goes away. */
export interface Tokens {
  find(token: string): AccessToken | undefined;
  all(): readonly AccessToken[];
  /** The token itself is shown only here. */
  add(name: string, scopes: readonly TokenScope[]): { readonly token: string; readonly record: AccessToken };
  /** False when there is no such token, or it is the first one. */
  revoke(id: number): boolean;
}

/** `first` is the administrator's token with the scope `api`. Only digests are kept and compared. */
export function createTokens(first: string, clock: Pick<Clock, "now">, random: Random): Tokens {
  const tokens = new Map<string, AccessToken>();
  const digest = (token: string) => createHash("sha256").update(token).digest("hex");
  let lastId = 0;
  function keep(token: string, name: string, scopes: readonly TokenScope[]): AccessToken {
    lastId += 1;
    const record = { id: lastId, name, scopes, createdAt: clock.now() };
    tokens.set(digest(token), record);
    return record;
  }
  keep(first, "administrator", ["api"]);

  return {
    find: (token) => tokens.get(digest(token)),
    all: () => [...tokens.values()],
    add(name, scopes) {
      const token = `glpat-${random.hex(10)}`;
      return { token, record: keep(token, name, scopes) };
    },
    revoke(id) {
      const held = [...tokens].find(([, record]) => record.id === id && id !== 1);
      return held !== undefined && tokens.delete(held[0]);
    },
  };
}
