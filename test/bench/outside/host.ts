import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import {
  CreateMicroVMResponseSchema,
  GetMicroVMResponseSchema,
  ListMicroVMsResponseSchema,
  MicroVM as MicroVMService,
} from "../../../proto/gen/services/microvm/v1alpha1/microvms_pb.js";
import { type MicroVM, MicroVMSchema, MicroVMStatus_MicroVMState } from "../../../proto/gen/types/microvm_pb.js";
import { type GrpcHandlers, grpcService } from "../../../proto/grpc.js";

/** A microVM whose Create has arrived. `at` is in milliseconds of this process's clock; `bootData` is what its guest reads. */
export interface ArrivedCreate {
  readonly vm: string;
  readonly at: number;
  readonly bootData: string;
}

/** A bare Flintlock host: whatever is asked for is there at once. */
export interface StubHost {
  readonly endpoint: string;
  stop(): void;
}

export async function startStubHost(name: string, onCreate: (arrived: ArrivedCreate) => void): Promise<StubHost> {
  const made = new Map<string, MicroVM>();
  const absent = (uid: string) => ({ code: status.UNKNOWN, details: `microvm spec //${uid} not found` });
  const calls: GrpcHandlers<typeof MicroVMService.method> = {
    createMicroVM: ({ request }, answer) => {
      const at = performance.now();
      const spec = request.microvm;
      const uid = `${name}-${made.size}`;
      const microvm = create(MicroVMSchema, {
        status: { state: MicroVMStatus_MicroVMState.CREATED },
        ...(spec === undefined ? {} : { spec: { ...spec, uid } }),
      });
      made.set(uid, microvm);
      answer(null, create(CreateMicroVMResponseSchema, { microvm }));
      onCreate({ vm: spec?.id ?? "", at, bootData: Buffer.from(spec?.metadata["firerunner-boot"] ?? "", "base64").toString() });
    },
    deleteMicroVM: ({ request: { uid } }, answer) => {
      if (made.delete(uid)) answer(null, create(EmptySchema));
      else answer(absent(uid));
    },
    getMicroVM: ({ request: { uid } }, answer) => {
      const microvm = made.get(uid);
      if (microvm === undefined) answer(absent(uid));
      else answer(null, create(GetMicroVMResponseSchema, { microvm }));
    },
    listMicroVMs: (_call, answer) => answer(null, create(ListMicroVMsResponseSchema, { microvm: [...made.values()] })),
    listMicroVMsStream: (call) => call.end(),
  };
  const server = new Server();
  server.addService(grpcService(MicroVMService), { ...calls });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return { endpoint: `127.0.0.1:${port}`, stop: () => server.forceShutdown() };
}
