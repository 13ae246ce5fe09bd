/** Where something listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** How to prove who one is to a server. */
export interface RedisLogin {
  readonly username?: string;
  readonly password?: string;
}

/** Certificates as PEM; the system's authorities are trusted when there is no `ca`. */
export interface RedisTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** A Redis server: one that is where it is, or the one that Sentinels say is the master. */
export type RedisServer = RedisLogin & {
  readonly tls?: RedisTls;
  readonly database?: number;
} & (
    | { readonly kind: "standalone"; readonly endpoint: Endpoint }
    | { readonly kind: "sentinel"; readonly sentinels: readonly Endpoint[]; readonly name: string; readonly sentinelPassword?: string }
  );

/** `HOST:PORT`, as errors name it. */
export const shown = ({ host, port }: Endpoint): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
