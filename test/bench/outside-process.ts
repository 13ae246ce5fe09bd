import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { OutsideAddresses, OutsideCalls, OutsideOptions } from "./outside/outside.js";
import type { AnswerMessage, CallMessage } from "./outside/process.js";

/** The outside world of one run: a process of its own, so that it does not share the service's event loop. */
export interface OutsideProcess extends OutsideAddresses {
  readonly calls: OutsideCalls;
  stop(): Promise<void>;
}

const startWithinMs = 60_000;

export async function startOutsideProcess(options: OutsideOptions): Promise<OutsideProcess> {
  const child = fork(fileURLToPath(new URL("./outside/process.ts", import.meta.url)), [JSON.stringify(options)], {
    serialization: "advanced",
  });
  const exited = once(child, "exit");
  const stop = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  try {
    const [addresses] = (await once(child, "message", { signal: AbortSignal.timeout(startWithinMs) })) as [OutsideAddresses];
    return { ...addresses, calls: callsTo(child), stop };
  } catch (caught) {
    await stop();
    throw caught;
  }
}

function callsTo(child: ChildProcess): OutsideCalls {
  const waiting = new Map<number, { readonly resolve: (answer: unknown) => void; readonly reject: (error: Error) => void }>();
  let ids = 0;
  child.on("message", (message: AnswerMessage) => {
    const call = waiting.get(message.id);
    waiting.delete(message.id);
    if ("error" in message) call?.reject(new Error(message.error));
    else call?.resolve(message.answer);
  });
  child.on("exit", () => {
    for (const { reject } of waiting.values()) reject(new Error("the outside's process ended"));
    waiting.clear();
  });
  const ask =
    (name: keyof OutsideCalls) =>
    (...args: readonly unknown[]): Promise<never> =>
      new Promise((resolve, reject) => {
        const id = ++ids;
        // Each call is answered by the function of its name.
        waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
        child.send({ id, name, args } satisfies CallMessage);
      });
  return {
    sendSteadily: ask("sendSteadily"),
    sendAtOnce: ask("sendAtOnce"),
    holdRest: ask("holdRest"),
    createCount: ask("createCount"),
    seen: ask("seen"),
  };
}
