import { RedisClient, type RedisClientOptions } from "@redis/client";
import { deadline } from "./deadline.js";
import { redisError } from "./redis-error.js";
import { type Endpoint, type RedisLogin, type RedisTls, shown } from "./redis-server.js";

/**
 * Makes clients. The library builds the class of a client, with all commands of Redis, for each set of options that is not the last
 * one: tens of ms of computing, again and again while Sentinels and servers are asked in turn. This builds it once.
 */
const createClient = RedisClient.factory({ RESP: 2 });

/** How long a connection may take to be made, greeting and password included, in ms. */
const connectMs = 3_000;

export interface ConnectionOptions extends RedisLogin {
  readonly endpoint: Endpoint;
  readonly tls?: RedisTls;
  readonly database?: number;
  /** Hears once that the connection is lost. */
  readonly onLost?: (caught: unknown) => void;
}

/** One connection that never comes back: what was sent over it and not answered is known to be in doubt. */
export interface Connection {
  send(...command: readonly string[]): Promise<unknown>;
  /** Hears what is published from now on; nothing else may be sent over it afterwards. */
  subscribe(channels: readonly string[], listener: (message: string) => void): Promise<void>;
  close(): void;
}

/** Connects, or rejects with `FR-STORE`. The client's own queue for later and its reconnecting are off: they would repeat commits. */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const { endpoint, tls, database, username, password, onLost = () => {} } = options;
  const attempted = "connecting";
  const settings: RedisClientOptions<Record<never, never>, Record<never, never>, Record<never, never>, 2> = {
    RESP: 2,
    socket: {
      ...endpoint,
      ...(tls === undefined ? {} : { tls: true as const, ...tls }),
      connectTimeout: connectMs,
      reconnectStrategy: false,
    },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: "disabled",
  };
  const client = createClient(settings);
  let isOpen = false;
  client.on("error", (caught) => {
    if (isOpen) onLost(caught);
    isOpen = false;
  });
  try {
    await deadline(connectMs, `${attempted} to Redis ${shown(endpoint)}`, client.connect());
  } catch (caught) {
    client.destroy();
    throw redisError(caught, attempted, shown(endpoint));
  }
  isOpen = true;
  return {
    send: (...command) => client.sendCommand<unknown>(command),
    subscribe: (channels, listener) =>
      deadline(
        connectMs,
        `listening to Redis ${shown(endpoint)}`,
        client.subscribe([...channels], (message) => listener(message)),
      ),
    close() {
      isOpen = false;
      client.destroy();
    },
  };
}
