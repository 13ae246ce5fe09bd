import { FireRunnerError } from "../../model/errors.js";
import { openConnection } from "./connection.js";
import { deadline } from "./deadline.js";
import { redisError } from "./redis-error.js";
import { type Endpoint, type RedisServer, shown } from "./redis-server.js";

/** How long one Sentinel may take for its answer, in ms. */
const answerMs = 1_000;

/**
 * Where the master is. Sentinels are asked one after the other, beginning with the `first`th, until one knows; when none does,
 * a retryable `FR-STORE` says what each of them answered. Whether it is the master still is for the caller to see.
 */
export async function findMaster(server: RedisServer, first: number): Promise<Endpoint> {
  if (server.kind === "standalone") return server.endpoint;
  const answers: string[] = [];
  for (let offset = 0; offset < server.sentinels.length; offset++) {
    const sentinel = server.sentinels[(first + offset) % server.sentinels.length];
    if (sentinel === undefined) continue;
    try {
      const found = await ask(sentinel, server);
      if (found !== undefined) return found;
      answers.push(`${shown(sentinel)} knows no master of that name`);
    } catch (caught) {
      answers.push(redisError(caught, "asking", shown(sentinel)).message);
    }
  }
  throw new FireRunnerError("FR-STORE", `no Sentinel tells where the master "${server.name}" is: ${answers.join("; ")}`, {
    retryable: true,
  });
}

async function ask(sentinel: Endpoint, server: RedisServer & { readonly kind: "sentinel" }): Promise<Endpoint | undefined> {
  const { name, tls, sentinelPassword } = server;
  const connection = await openConnection({
    endpoint: sentinel,
    ...(tls === undefined ? {} : { tls }),
    ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
  });
  try {
    const asked = connection.send("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name);
    const answer = (await deadline(answerMs, `asking the Sentinel ${shown(sentinel)}`, asked)) as readonly string[] | null;
    const [host, port] = answer ?? [];
    return host === undefined || port === undefined ? undefined : { host, port: Number(port) };
  } finally {
    connection.close();
  }
}
