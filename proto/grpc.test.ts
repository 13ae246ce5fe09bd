import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, makeClientConstructor, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CreateMicroVMResponseSchema,
  GetMicroVMRequestSchema,
  GetMicroVMResponseSchema,
  ListMessageSchema,
  ListMicroVMsRequestSchema,
  ListMicroVMsResponseSchema,
  MicroVM,
} from "./gen/services/microvm/v1alpha1/microvms_pb.js";
import { type GrpcHandlers, grpcService } from "./grpc.js";

const service = grpcService(MicroVM);

const handlers: GrpcHandlers<typeof MicroVM.method> = {
  createMicroVM: (_call, answer) => answer(null, create(CreateMicroVMResponseSchema)),
  deleteMicroVM: (_call, answer) => answer(null, create(EmptySchema)),
  getMicroVM: (call, answer) => {
    if (call.request.uid === "") answer({ code: status.INVALID_ARGUMENT, details: "invalid request" });
    else answer(null, create(GetMicroVMResponseSchema, { microvm: { spec: { uid: call.request.uid } } }));
  },
  listMicroVMs: (_call, answer) => answer(null, create(ListMicroVMsResponseSchema)),
  listMicroVMsStream: (call) => {
    for (const id of ["a", "b"]) call.write(create(ListMessageSchema, { microvm: { spec: { id, namespace: call.request.namespace } } }));
    call.end();
  },
};

describe("grpcService", () => {
  const server = new Server();
  let endpoint = "";
  beforeAll(async () => {
    server.addService(service, { ...handlers });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    endpoint = `127.0.0.1:${port}`;
  });
  afterAll(() => server.forceShutdown());

  it("carries a unary call, with its types, over a plain client", async () => {
    const client = new Client(endpoint, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = service.getMicroVM;
    const get = (uid: string) =>
      new Promise<string | undefined>((resolve, reject) => {
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, create(GetMicroVMRequestSchema, { uid }), (error, answer) =>
          error ? reject(error) : resolve(answer?.microvm?.spec?.uid),
        );
      });
    await expect(get("01J")).resolves.toBe("01J");
    await expect(get("")).rejects.toMatchObject({ code: status.INVALID_ARGUMENT, details: "invalid request" });
    client.close();
  });

  it("carries a server stream", async () => {
    const client = new Client(endpoint, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = service.listMicroVMsStream;
    const request = create(ListMicroVMsRequestSchema, { namespace: "ns" });
    const seen: string[] = [];
    for await (const message of client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request)) {
      seen.push(`${message.microvm.spec.namespace}/${message.microvm.spec.id}`);
    }
    expect(seen).toEqual(["ns/a", "ns/b"]);
    client.close();
  });

  it("gives a client constructor both spellings of a method", () => {
    const Constructor = makeClientConstructor(service, MicroVM.typeName);
    const client = new Constructor(endpoint, credentials.createInsecure());
    expect(client.getMicroVM).toBeTypeOf("function");
    expect(client.GetMicroVM).toBe(client.getMicroVM);
    client.close();
  });

  it("asks the paths of Flintlock", () => {
    expect(Object.values(service).map((method) => method.path)).toEqual([
      "/microvm.services.api.v1alpha1.MicroVM/CreateMicroVM",
      "/microvm.services.api.v1alpha1.MicroVM/DeleteMicroVM",
      "/microvm.services.api.v1alpha1.MicroVM/GetMicroVM",
      "/microvm.services.api.v1alpha1.MicroVM/ListMicroVMs",
      "/microvm.services.api.v1alpha1.MicroVM/ListMicroVMsStream",
    ]);
  });
});
