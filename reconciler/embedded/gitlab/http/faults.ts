import type { FastifyInstance, FastifyRequest } from "fastify";
import { pause } from "../../pause.js";
import type { Fault } from "../dials.js";
import type { World } from "../world.js";
import { Refusal } from "./refusal.js";

const texts: Readonly<Record<number, string>> = {
  409: "409 Conflict",
  412: "412 Precondition Failed",
  429: "429 Too Many Requests",
  500: "500 Internal Server Error",
  502: "502 Bad Gateway",
  503: "503 Service Unavailable",
};

/** Makes requests go wrong as the dials say. A fault's count begins again when the dials are set. */
export function addFaults(app: FastifyInstance, world: World): void {
  const used = new WeakMap<Fault, number>();
  const lost = new WeakSet<FastifyRequest>();

  /** Whether the fault hits this request; if so, that counts. */
  function hits(fault: Fault, call: string): boolean {
    const count = used.get(fault) ?? 0;
    if ((fault.times !== undefined && count >= fault.times) || !new RegExp(fault.path).test(call)) return false;
    used.set(fault, count + 1);
    return true;
  }

  app.addHook("onRequest", async (request) => {
    const call = `${request.method} ${request.url.replace(/\?.*$/s, "")}`;
    // Whoever turned the dials must be able to turn them back.
    if (call.endsWith(" /-/dials")) return;
    for (const fault of world.dials().faults) {
      if (!hits(fault, call)) continue;
      if (fault.kind === "answer") throw answerOf(fault);
      if (fault.kind === "lostReply") lost.add(request);
      else if (fault.kind === "delay") await pause(world.clock, fault.ms, world.stopping);
      else {
        await untilGone(request, world.stopping);
        throw new Refusal(503, { message: "503 Service Unavailable" });
      }
    }
  });
  app.addHook("onSend", async (request, _reply, payload) => {
    if (lost.has(request)) request.raw.socket.destroy();
    return payload;
  });
}

/** Resolves when whoever asked has gone away, or this GitLab stops. */
function untilGone(request: FastifyRequest, stopping: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      stopping.removeEventListener("abort", end);
      request.raw.socket.off("close", end);
      resolve();
    };
    if (stopping.aborted || request.raw.socket.destroyed) return resolve();
    stopping.addEventListener("abort", end, { once: true });
    request.raw.socket.once("close", end);
  });
}

function answerOf({ status, retryAfterS }: Extract<Fault, { kind: "answer" }>): Refusal {
  const headers = retryAfterS === undefined ? {} : { "retry-after": String(retryAfterS) };
  return new Refusal(status, { message: texts[status] ?? String(status) }, headers);
}
