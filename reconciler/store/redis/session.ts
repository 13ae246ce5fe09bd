import { FireRunnerError } from "../../model/errors.js";
import type { Contents } from "../mirror.js";
import { readEvent } from "../stored-text.js";
import { type FeedEntry, readPlace, refuseBroken } from "./batch-text.js";
import type { Connection } from "./connection.js";
import { tooLate } from "./deadline.js";
import { endsConnection, isUnknownScript, redisError } from "./redis-error.js";
import type { Script } from "./scripts.js";

/** How long one call may take before its connection is given up, in ms. */
const callMs = 5_000;
/** How long reading everything may take, in ms. */
const readAllMs = 60_000;
/** So many entries of the feed are read at once. */
const mostEntries = 500;
/** How long replicas have to take what was written, in ms: less than a call. */
const replicasMs = 2_000;

export interface SessionParts {
  /** `HOST:PORT`, for errors. */
  readonly where: string;
  /** The server's process. */
  readonly run: string;
  readonly keys: readonly string[];
  readonly commands: Connection;
  /** Reads the feed, and waits there. */
  readonly feed: Connection;
  /** Waits for replicas, where there must be some. */
  readonly replicas: { readonly connection: Connection; readonly atLeast: number } | undefined;
}

/** What a store in Redis holds, and the id of the newest commit in it. */
export interface Reading {
  readonly contents: Omit<Contents, "takeovers">;
  readonly commit: string;
}

/**
 * The connections to one process of Redis, as long as all of them last. When one is lost, when a call takes too long or when the
 * server turns out to be another one, everything under way is rejected and the session has ended: calls that were sent are
 * in doubt then, and none is ever sent twice.
 */
export class Session {
  private readonly calls = new Set<(error: FireRunnerError) => void>();
  private endedBy: FireRunnerError | undefined;

  constructor(private readonly parts: SessionParts) {}

  get run(): string {
    return this.parts.run;
  }

  /** `HOST:PORT` of the server. */
  get where(): string {
    return this.parts.where;
  }

  /** Ends it; the connections are closed and every call under way rejects with `error`. */
  end(error: FireRunnerError): void {
    if (this.endedBy !== undefined) return;
    this.endedBy = error;
    const { commands, feed, replicas } = this.parts;
    for (const connection of [commands, feed, replicas?.connection]) connection?.close();
    for (const reject of [...this.calls]) reject(error);
  }

  /** Ends it for an error of one of its connections. */
  lost(caught: unknown): void {
    this.end(redisError(caught, "holding the connection", this.parts.where));
  }

  /** Runs `work` as one call: within its time, and rejected when the session ends. */
  call<T>(attempted: string, work: () => Promise<T>, ms = callMs): Promise<T> {
    const { endedBy } = this;
    if (endedBy !== undefined) return Promise.reject(endedBy);
    return new Promise((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer);
        this.calls.delete(fail);
      };
      const fail = (error: FireRunnerError) => {
        finish();
        reject(error);
      };
      const timer = setTimeout(() => this.end(tooLate(ms, `${attempted} at Redis ${this.parts.where}`)), ms);
      this.calls.add(fail);
      work().then(
        (value) => {
          finish();
          resolve(value);
        },
        (caught) => {
          const error = redisError(caught, attempted, this.parts.where);
          if (endsConnection(caught)) this.end(error);
          fail(error);
        },
      );
    });
  }

  /** Runs a script on the store's keys; its answer begins with a word. `moved` ends the session. To be used within `call`. */
  async script(script: Script, ...args: readonly string[]): Promise<readonly [string, ...unknown[]]> {
    const { commands, keys } = this.parts;
    const tail = [String(keys.length), ...keys, ...args];
    const answer = await commands.send("EVALSHA", script.sha, ...tail).catch((caught: unknown) => {
      if (!isUnknownScript(caught)) throw caught;
      return commands.send("EVAL", script.text, ...tail);
    });
    const words = answer as readonly [string, ...unknown[]];
    if (words[0] === "moved") throw this.moved();
    return words;
  }

  /** What the feed holds after a revision, oldest first; waits up to `blockMs` for it when that is above 0. */
  async feedAfter(revision: number, blockMs: number): Promise<readonly FeedEntry[]> {
    const [, , , feed = ""] = this.parts.keys;
    const block = blockMs === 0 ? [] : ["BLOCK", String(blockMs)];
    const read = ["XREAD", "COUNT", String(mostEntries), ...block, "STREAMS", feed, `${revision}-0`];
    const answer = await this.call("reading the feed", () => this.parts.feed.send(...read), blockMs + callMs);
    const [[, entries] = ["", []]] = (answer ?? []) as readonly [string, readonly [string, readonly string[]][]][];
    return entries.map(([id, fields]) => feedEntry(id, fieldsOf(fields)));
  }

  /** The newest commit of the store, and its revision. */
  async head(): Promise<{ readonly commit: string; readonly revision: number }> {
    const [meta = ""] = this.parts.keys;
    const read = ["HMGET", meta, "run", "commit", "revision"];
    const answer = await this.call("reading the store's head", () => this.parts.feed.send(...read));
    const [run, commit, revision] = answer as readonly (string | null)[];
    if (run !== this.run || !commit || !revision) throw this.moved();
    return { commit, revision: Number(revision) };
  }

  /** Reads everything as it is at one moment; of the events the newest `eventRetention`. */
  async readAll(eventRetention: number): Promise<Reading> {
    const [meta = "", record = "", event = ""] = this.parts.keys;
    const { feed } = this.parts;
    const [counters, records, events] = await this.call(
      "reading everything",
      async () => {
        const sent = [
          feed.send("MULTI"),
          feed.send("HMGET", meta, "run", "revision", "seq", "commit"),
          feed.send("HGETALL", record),
          feed.send("XREVRANGE", event, "+", "-", "COUNT", String(eventRetention)),
          feed.send("EXEC"),
        ];
        return (await Promise.all(sent)).at(-1) as [readonly (string | null)[], readonly string[], readonly [string, readonly string[]][]];
      },
      readAllMs,
    );
    const [run, revision, seq, commit] = counters;
    if (run !== this.run || !revision || !seq || !commit) throw this.moved();
    const contents = {
      records: [...fieldsOf(records)].map(([place, text]) => readPlace(place, text)),
      events: events
        .map(([id, fields]) => readEvent({ seq: numberOf(id), value: fieldsOf(fields).get("event") ?? "" }, refuseBroken))
        .reverse(),
      revision: Number(revision),
      lastSeq: Number(seq),
    };
    return { contents, commit };
  }

  /** Settles when enough replicas have everything that was answered before; without any that must, at once. */
  async replicated(): Promise<void> {
    const { replicas, keys, where } = this.parts;
    if (replicas === undefined) return;
    const { connection, atLeast } = replicas;
    // Replicas take writes in their order: one that has this has all before it.
    const answer = await this.call("waiting for replicas", async () => {
      const written = connection.send("HSET", keys[0] ?? "", "settled", String(Date.now()));
      const waited = connection.send("WAIT", String(atLeast), String(replicasMs));
      return (await Promise.all([written, waited]))[1];
    });
    if (Number(answer) >= atLeast) return;
    throw new FireRunnerError(
      "FR-STORE",
      `waiting for replicas failed at Redis ${where}: ${atLeast} must have what was written, ${answer} had it after ${replicasMs / 1000} s`,
      { retryable: true },
    );
  }

  /** Ends the session: what it was begun with is not there any more. */
  private moved(): FireRunnerError {
    const { where } = this.parts;
    const error = new FireRunnerError("FR-STORE", `the store in Redis ${where} was emptied or replaced meanwhile`, { retryable: true });
    this.end(error);
    return error;
  }
}

function feedEntry(id: string, fields: ReadonlyMap<string, string>): FeedEntry {
  const field = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined) throw refuseBroken(`entry ${id} of the feed`, `has no ${name}`);
    return value;
  };
  return {
    revision: numberOf(id),
    commit: field("commit"),
    before: field("before"),
    seq: Number(field("seq")),
    batch: field("batch"),
    leapTo: fields.has("leapTo") ? Number(field("leapTo")) : undefined,
  };
}

/** The ids of both streams are `NUMBER-0`. */
const numberOf = (id: string): number => Number.parseInt(id, 10);

/** Names and values in turn, as Redis lists them. */
export function fieldsOf(list: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (let index = 0; index + 1 < list.length; index += 2) fields.set(list[index] ?? "", list[index + 1] ?? "");
  return fields;
}
