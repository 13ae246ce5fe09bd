import { FireRunnerError } from "../../model/errors.js";
import { type Connection, openConnection } from "./connection.js";
import { deadline } from "./deadline.js";
import { findMaster } from "./find-master.js";
import { redisError } from "./redis-error.js";
import { type RedisServer, shown } from "./redis-server.js";
import { beginScript, claimScript, commitScript, leaveNoteScript, notesScript, releaseScript, storeKeys } from "./scripts.js";
import { checkServer, infoSections } from "./server-state.js";
import { Session } from "./session.js";

/** How long the server may take to say what it is, in ms. */
const infoMs = 3_000;

export interface OpenSessionOptions {
  readonly server: RedisServer;
  readonly prefix: string;
  /** Tells one sealing key from another. */
  readonly keyId: string;
  readonly minReplicas: number;
  /** Which Sentinel is asked first. */
  readonly firstSentinel: number;
  /** The highest numbers that were seen here: what comes after is above them. */
  readonly known: { readonly revision: number; readonly seq: number };
  /** An id that no commit has. */
  readonly commitId: string;
}

/**
 * Connects to the master and begins a session there. Rejects with `FR-STORE`: retryable when another try may find a master, final
 * when the server or the store on it cannot be used; and with `FR-STORE-NEWER` or `FR-STORE-SEALED`.
 */
export async function openSession(options: OpenSessionOptions): Promise<Session> {
  const { server, prefix, minReplicas } = options;
  const endpoint = await findMaster(server, options.firstSentinel);
  const where = shown(endpoint);
  const opened: Connection[] = [];
  // Connections may be lost before there is a session that can be told.
  let loss: { readonly caught: unknown } | undefined;
  let session: Session | undefined;
  const onLost = (caught: unknown) => {
    loss ??= { caught };
    session?.lost(caught);
  };
  const open = async (): Promise<Connection> => {
    const { tls, username, password, database } = server;
    const connection = await openConnection({
      endpoint,
      onLost,
      ...(tls === undefined ? {} : { tls }),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(database === undefined ? {} : { database }),
    });
    opened.push(connection);
    return connection;
  };
  try {
    // While this lasts webhooks are refused: what can be done at once is.
    const opening = [open(), open(), minReplicas === 0 ? undefined : open()] as const;
    // When one fails, the others are to be closed, and for that to have been opened.
    await Promise.allSettled(opening);
    const [commands, feed, third] = await Promise.all(opening);
    const replicas = third === undefined ? undefined : { connection: third, atLeast: minReplicas };
    const asked = Promise.all(opened.map((connection) => connection.send("INFO", ...infoSections)));
    const infos = await deadline(infoMs, `asking Redis ${where} what it is`, asked);
    const [run = "", ...others] = infos.map((info) => checkServer(String(info), where));
    if (others.some((other) => other !== run)) {
      throw new FireRunnerError("FR-STORE", `Redis ${where} became another one while it was connected to`, { retryable: true });
    }
    session = new Session({ where, run, keys: storeKeys(prefix), commands, feed, replicas });
    if (loss !== undefined) session.lost(loss.caught);
    await begin(session, commands, options, where);
    return session;
  } catch (caught) {
    for (const connection of opened) connection.close();
    throw redisError(caught, "beginning a session", where);
  }
}

async function begin(session: Session, commands: Connection, options: OpenSessionOptions, where: string): Promise<void> {
  const { prefix, keyId, known, commitId } = options;
  const [answer] = await session.call("beginning a session", async () => {
    const scripts = [beginScript, commitScript, claimScript, releaseScript, leaveNoteScript, notesScript];
    const loaded = scripts.map(({ text }) => commands.send("SCRIPT", "LOAD", text));
    // Redis takes them in their order: the first is there when it is asked for.
    const begun = session.script(beginScript, session.run, commitId, keyId, String(known.revision), String(known.seq));
    await Promise.all([begun, ...loaded]);
    return begun;
  });
  const store = `the store "${prefix}" in Redis ${where}`;
  if (answer === "newer") throw new FireRunnerError("FR-STORE-NEWER", `${store} was written by a newer FireRunner: upgrade this one`);
  if (answer === "key") {
    throw new FireRunnerError("FR-STORE-SEALED", `${store} was written with another key: give all replicas the same \`key\``);
  }
  if (answer === "foreign") {
    throw new FireRunnerError(
      "FR-STORE",
      `${store} is not one: keys begin with "${prefix}:" that no store has made; choose another prefix`,
    );
  }
}
