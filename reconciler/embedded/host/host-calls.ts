import { timingSafeEqual } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { type Metadata, type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from "@grpc/grpc-js";
import {
  CreateMicroVMResponseSchema,
  GetMicroVMResponseSchema,
  ListMessageSchema,
  ListMicroVMsResponseSchema,
  type MicroVM as MicroVMService,
} from "../../../proto/gen/services/microvm/v1alpha1/microvms_pb.js";
import type { MicroVM } from "../../../proto/gen/types/microvm_pb.js";
import type { GrpcHandlers } from "../../../proto/grpc.js";
import type { Clock } from "../../model/clock.js";
import type { DialBoard, HostCall } from "./dials.js";
import { HostError } from "./host-error.js";
import type { HostMachine } from "./host-machine.js";

export interface HostCallsOptions {
  readonly machine: HostMachine;
  readonly dials: DialBoard;
  readonly clock: Clock;
  /** Ends the connection on which a call came, without a word. */
  readonly cut: (peer: string) => void;
  /** The Basic token that every call must bring; none when left out. */
  readonly token?: string;
}

/** The five calls of a Flintlock host, answered as a flintlockd v0.11 answers. */
export function hostCalls(options: HostCallsOptions): GrpcHandlers<typeof MicroVMService.method> {
  const { machine, dials } = options;
  const unary =
    <Request, Answer>(kind: HostCall, act: (request: Request) => Answer) =>
    (call: ServerUnaryCall<Request, Answer>, answer: sendUnaryData<Answer>) =>
      void admit(call.metadata, options).then(
        () => {
          const outcome = attempt(() => act(call.request));
          const lost = dials.takeLostAnswer(kind);
          if (lost === "cut") options.cut(call.getPeer());
          if (lost !== undefined) return;
          if ("error" in outcome) answer(outcome.error);
          else answer(null, outcome.answer);
        },
        (error: unknown) => answer(asStatus(error)),
      );
  return {
    createMicroVM: unary("create", ({ microvm }) => {
      if (microvm === undefined) throw invalid("invalid create microvm request: MicroVMSpec required");
      if (microvm.interfaces.some(({ overrides }) => overrides !== undefined && overrides.bridgeName === undefined)) {
        throw new HostError("overrides without bridge_name: here a flintlockd v0.11 ends", status.UNAVAILABLE);
      }
      return create(CreateMicroVMResponseSchema, { microvm: machine.create(microvm) });
    }),
    deleteMicroVM: unary("delete", ({ uid }) => {
      if (uid === "") throw invalid("invalid request");
      refuseWedged("deleting microvm: checking to see if spec exists", machine.get(uid));
      if (!machine.delete(uid)) throw new HostError(`deleting microvm: checking to see if spec exists: microvm spec //${uid} not found`);
      return create(EmptySchema);
    }),
    getMicroVM: unary("get", ({ uid }) => {
      if (uid === "") throw invalid("invalid request");
      const attempted = `getting microvm: error attempting to locate microvm with uid: ${uid}`;
      const microvm = machine.get(uid);
      refuseWedged(attempted, microvm);
      if (microvm === undefined) throw new HostError(`${attempted}: microvm spec //${uid} not found`);
      return create(GetMicroVMResponseSchema, { microvm });
    }),
    listMicroVMs: unary("list", ({ namespace, name }) => {
      const listed = list(namespace, options).filter(({ spec }) => !name || spec?.id === name);
      return create(ListMicroVMsResponseSchema, { microvm: listed });
    }),
    listMicroVMsStream: (call) =>
      void admit(call.metadata, options)
        .then(() => {
          if (call.request.namespace === "") throw invalid("invalid request");
          for (const microvm of list(call.request.namespace, options)) call.write(create(ListMessageSchema, { microvm }));
          call.end();
        })
        .catch((error: unknown) => end(call, error)),
  };
}

function list(namespace: string, { machine, dials }: HostCallsOptions): MicroVM[] {
  const attempted = `getting all microvms: error attempting to list microvms: map[namespace:${namespace}]: getting microvm spec`;
  if (dials.take("failedLists")) {
    throw new HostError(`${attempted}: reading content sha256:${"0".repeat(64)}: failed reading from content store`);
  }
  if (dials.now.wedged) throw wedged(attempted, `${namespace || "default"}/a/b/${"0".repeat(26)}`);
  const listed = machine.list().filter(({ spec }) => namespace === "" || spec?.namespace === namespace);
  for (const microvm of listed) refuseWedged(attempted, microvm);
  return listed;
}

/** A record with `/` in its name can be written and not read: it blocks whatever covers it. */
function refuseWedged(attempted: string, microvm: MicroVM | undefined): void {
  const spec = microvm?.spec;
  if (spec === undefined || !`${spec.namespace}${spec.id}`.includes("/")) return;
  throw wedged(attempted, `${spec.namespace}/${spec.id}/${spec.uid}`);
}

function wedged(attempted: string, vmid: string): HostError {
  return new HostError(`${attempted}: unexpected vmid format: ${vmid}`);
}

/** Resolves when the call may be handled; rejects with the refusal. */
async function admit(headers: Metadata, { clock, dials, token }: HostCallsOptions): Promise<void> {
  const { latencyMs } = dials.now;
  if (latencyMs > 0) await new Promise<void>((resolve) => clock.after(latencyMs, resolve));
  if (dials.now.hang) await new Promise<never>(() => undefined);
  if (dials.isUnavailable()) throw new HostError("the host is not available", status.UNAVAILABLE);
  if (token === undefined) return;
  const [scheme = "", given = ""] = String(headers.get("authorization")[0] ?? "").split(" ", 2);
  if (scheme.toLowerCase() !== "basic") {
    const why = "rpc error: code = Unauthenticated desc = Request unauthenticated with basic";
    throw new HostError(`could not extract token from request header: ${why}`, status.UNAUTHENTICATED);
  }
  const wanted = Buffer.from(Buffer.from(token).toString("base64"));
  const got = Buffer.from(given);
  if (wanted.length === got.length && timingSafeEqual(wanted, got)) return;
  throw new HostError("invalid auth token: tokens do not match", status.UNAUTHENTICATED);
}

function invalid(details: string): HostError {
  return new HostError(details, status.INVALID_ARGUMENT);
}

function attempt<Answer>(act: () => Answer): { readonly answer: Answer } | { readonly error: Status } {
  try {
    return { answer: act() };
  } catch (error) {
    return { error: asStatus(error) };
  }
}

interface Status {
  readonly code: status;
  readonly details: string;
}

function asStatus(error: unknown): Status {
  if (error instanceof HostError) return { code: error.code, details: error.details };
  return { code: status.INTERNAL, details: `a fault of the embedded host: ${error instanceof Error ? error.message : String(error)}` };
}

function end<Request, Answer>(call: ServerWritableStream<Request, Answer>, error: unknown): void {
  call.emit("error", asStatus(error));
}
