import type { IncomingMessage } from "node:http";
import { type Clock, systemClock } from "../model/clock.js";

/** What became of reading a request's body. `cut` means that the sender went away in the middle of it. */
export type BodyResult =
  | { readonly outcome: "read"; readonly bytes: Buffer }
  | { readonly outcome: "too-large" }
  | { readonly outcome: "cut" };

/**
 * Reads a body of at most `limitBytes`. When it is larger, reading pauses where it is: the caller drains it or closes
 * the connection.
 */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<BodyResult> {
  if (Number(request.headers["content-length"] ?? 0) > limitBytes) return Promise.resolve({ outcome: "too-large" });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (result: BodyResult) => {
      request.off("data", onData).off("end", onEnd).off("error", onCut).off("close", onCut);
      resolve(result);
    };
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length > limitBytes) {
        request.pause();
        settle({ outcome: "too-large" });
      }
    };
    const onEnd = () =>
      settle({ outcome: "read", bytes: chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length) });
    const onCut = () => settle({ outcome: "cut" });
    request.on("data", onData).on("end", onEnd).on("error", onCut).on("close", onCut);
  });
}

export interface DrainLimits {
  readonly bytes: number;
  readonly ms: number;
  readonly clock?: Clock;
}

/** Reads the rest of a body and forgets it; `false` when it was longer or slower than the limits, or broke off. */
export function drainBody(request: IncomingMessage, limits: DrainLimits): Promise<boolean> {
  if (Number(request.headers["content-length"] ?? 0) > limits.bytes) return Promise.resolve(false);
  return new Promise((resolve) => {
    let length = 0;
    const settle = (drained: boolean) => {
      cancel();
      request.off("data", onData).off("end", onEnd).off("error", onCut).off("close", onCut);
      if (!drained) request.pause();
      resolve(drained);
    };
    const cancel = (limits.clock ?? systemClock).after(limits.ms, () => settle(false));
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > limits.bytes) settle(false);
    };
    const onEnd = () => settle(true);
    const onCut = () => settle(false);
    request.on("data", onData).on("end", onEnd).on("error", onCut).on("close", onCut);
    request.resume();
  });
}
