import { type MethodDefinition, status } from "@grpc/grpc-js";
import type { CallFailure } from "./failures.js";
import type { HostChannel, HostChannels } from "./host-channels.js";

/** How a call ended. */
export type Outcome<Answer> =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "failure"; readonly failure: CallFailure };

/** One unary call, which ends at once as cancelled when `signal` says so. Never rejects. */
export function unaryCall<Request, Answer>(
  channels: HostChannels,
  channel: HostChannel,
  method: MethodDefinition<Request, Answer>,
  request: Request,
  signal: AbortSignal,
): Promise<Outcome<Answer>> {
  return new Promise((resolve) => {
    const { path, requestSerialize, responseDeserialize } = method;
    const cancel = () => call.cancel();
    const call = channel.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, channel.headers, (error, answer) => {
      signal.removeEventListener("abort", cancel);
      channels.ended(channel, call);
      if (answer !== undefined) resolve({ kind: "answer", answer });
      else resolve({ kind: "failure", failure: { code: error?.code ?? status.UNKNOWN, text: error?.details ?? "no answer and no error" } });
    });
    channel.calls.add(call);
    signal.addEventListener("abort", cancel, { once: true });
  });
}
