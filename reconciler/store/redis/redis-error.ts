import { ErrorReply } from "@redis/client";
import { FireRunnerError } from "../../model/errors.js";

/** What Redis answers by its first word, in words for people, with what to do. */
const answers: Readonly<Record<string, string>> = {
  MISCONF: "cannot write to its disk: make room there",
  OOM: "has no memory left: raise maxmemory or make room",
  NOREPLICAS: "has too few replicas that keep up: bring them back",
  READONLY: "is a replica, not the master",
  LOADING: "still reads its data from disk",
  MASTERDOWN: "is a replica that has lost its master",
  WRONGPASS: "refused the user or password: check store.password",
  NOAUTH: "wants a password: give store.password",
  NOPERM: "does not allow it to this user",
  WRONGTYPE: "holds something else under these keys: choose another store.prefix",
};

/** These say of the connection, not of the call: it is given up, and another is sought. */
const endings: ReadonlySet<string> = new Set(["READONLY", "LOADING", "MASTERDOWN", "UNBLOCKED", "NOAUTH", "WRONGPASS"]);
/** These do not pass by themselves. */
const lasting: ReadonlySet<string> = new Set(["NOAUTH", "WRONGPASS", "NOPERM", "WRONGTYPE"]);

/** `FR-STORE` for what a call to Redis threw; `attempted` and `where` begin its message. */
export function redisError(caught: unknown, attempted: string, where: string): FireRunnerError {
  if (caught instanceof FireRunnerError) return caught;
  const word = firstWord(caught);
  const text = caught instanceof Error ? caught.message : String(caught);
  const why = word !== undefined && word in answers ? `it ${answers[word]} (${text})` : text;
  return new FireRunnerError("FR-STORE", `${attempted} failed at Redis ${where}: ${why}`, {
    cause: caught,
    retryable: word === undefined || !lasting.has(word),
  });
}

/** Whether an answer says that nothing more is to be had of this connection. */
export const endsConnection = (caught: unknown): boolean => endings.has(firstWord(caught) ?? "");

/** Whether Redis does not know a script by its hash: it was started anew, or somebody flushed them. */
export const isUnknownScript = (caught: unknown): boolean => firstWord(caught) === "NOSCRIPT";

function firstWord(caught: unknown): string | undefined {
  return caught instanceof ErrorReply ? caught.message.split(" ", 1)[0] : undefined;
}
