import { fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { MicroVM } from "../../../proto/gen/services/microvm/v1alpha1/microvms_pb.js";
import { grpcService } from "../../../proto/grpc.js";

const service = grpcService(MicroVM);

/** What a call was answered, as the golden files write it. */
export type WireAnswer = { readonly ok: JsonValue } | { readonly error: { readonly code: number; readonly message: string } };

/** A bare gRPC client that speaks JSON to the test. */
export interface WireClient {
  /** `method` as on the wire, for example `GetMicroVM`. A stream's messages come as one array. */
  call(method: string, request: JsonValue, headers?: Readonly<Record<string, string>>): Promise<WireAnswer>;
  close(): void;
}

export function wireClient(address: string): WireClient {
  const client = new Client(address, credentials.createInsecure());
  const call = async (name: string, request: JsonValue, headers: Readonly<Record<string, string>> = {}): Promise<WireAnswer> => {
    const method = MicroVM.methods.find((candidate) => candidate.name === name);
    const wire = Object.values(service).find((candidate) => candidate.originalName === name);
    if (method === undefined || wire === undefined) throw new Error(`no method ${name}`);
    const metadata = new Metadata();
    for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
    const message = fromJson(method.input, request);
    const serialize = wire.requestSerialize as (message: unknown) => Buffer;
    const deserialize = wire.responseDeserialize as (bytes: Buffer) => never;
    if (method.methodKind === "server_streaming") {
      const shown: JsonValue[] = [];
      try {
        for await (const item of client.makeServerStreamRequest(wire.path, serialize, deserialize, message, metadata)) {
          shown.push(toJson(method.output, item));
        }
      } catch (error) {
        return refusal(error as ServiceError);
      }
      return { ok: shown };
    }
    return new Promise((resolve) => {
      client.makeUnaryRequest(wire.path, serialize, deserialize, message, metadata, (error, answer) =>
        resolve(answer === undefined ? refusal(error) : { ok: toJson(method.output, answer) }),
      );
    });
  };
  return { call, close: () => client.close() };
}

function refusal(error: ServiceError | null): WireAnswer {
  return { error: { code: error?.code ?? -1, message: error?.details ?? "" } };
}
