import { type DescMessage, type DescMethod, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import type { handleServerStreamingCall, handleUnaryCall, MethodDefinition } from "@grpc/grpc-js";

type Input<Method> = Method extends { input: infer Message extends DescMessage } ? MessageShape<Message> : never;
type Output<Method> = Method extends { output: infer Message extends DescMessage } ? MessageShape<Message> : never;

/** A grpc-js service definition whose keys are the generated method names (`createMicroVM`). */
export type GrpcService<Methods extends GenServiceMethods> = {
  readonly [Name in keyof Methods]: MethodDefinition<Input<Methods[Name]>, Output<Methods[Name]>>;
};

/** What serves such a definition: one handler for each unary or server-streaming method. */
export type GrpcHandlers<Methods extends GenServiceMethods> = {
  readonly [Name in keyof Methods]: Methods[Name]["methodKind"] extends "unary"
    ? handleUnaryCall<Input<Methods[Name]>, Output<Methods[Name]>>
    : Methods[Name]["methodKind"] extends "server_streaming"
      ? handleServerStreamingCall<Input<Methods[Name]>, Output<Methods[Name]>>
      : never;
};

/** Turns a generated service into what grpc-js takes, for clients (`makeUnaryRequest`) and servers (`addService`) alike. */
export function grpcService<Methods extends GenServiceMethods>(service: GenService<Methods>): GrpcService<Methods> {
  const methods: Record<string, DescMethod> = service.method;
  const definition = Object.entries(methods).map(([name, method]) => [name, grpcMethod(service.typeName, method)]);
  return Object.fromEntries(definition) as GrpcService<Methods>;
}

function grpcMethod(service: string, method: DescMethod): MethodDefinition<MessageShape<DescMessage>, MessageShape<DescMessage>> {
  return {
    path: `/${service}/${method.name}`,
    originalName: method.name,
    requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestSerialize: (message) => Buffer.from(toBinary(method.input, message)),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(method.output, message)),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}
