import { create } from "@bufbuild/protobuf";
import { type MethodDefinition, status } from "@grpc/grpc-js";
import {
  CreateMicroVMRequestSchema,
  DeleteMicroVMRequestSchema,
  GetMicroVMRequestSchema,
  ListMicroVMsRequestSchema,
  MicroVM,
} from "../../../proto/gen/services/microvm/v1alpha1/microvms_pb.js";
import { grpcService } from "../../../proto/grpc.js";
import type { Clock, Random } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import type { Host } from "../../model/host.js";
import type { FlintlockPort, HostMicrovm } from "../port.js";
import { type CallFailure, failureError, type HostOperation, isSilence, meaningOf, meansAbsent, withheldFailure } from "./failures.js";
import { HostBreaker } from "./host-breaker.js";
import { HostChannels } from "./host-channels.js";
import { readHostMicrovm } from "./host-microvm.js";
import { buildMicrovmSpec } from "./microvm-spec.js";
import { RunningCall } from "./running-call.js";
import { type Outcome, unaryCall } from "./unary-call.js";

export interface GrpcFlintlockOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Gives the secret behind a host's `token`; asked before every call, so that a token may be exchanged. */
  readonly resolveSecret: (ref: string) => string;
  /** How long a call may take, its repetitions included. 10 s when left out. */
  readonly deadlineMs?: number;
}

/** How often Get and List are tried in all; Create and Delete are sent once. */
const readAttempts = 3;
const firstRetryMs = 200;

const service = grpcService(MicroVM);

/**
 * Flintlock hosts over gRPC: one channel for each host, a deadline on every call, errors by the server's texts. Reads are
 * repeated a little when trouble may pass. While a host is silent calls to it are answered at once with
 * `FR-HOST-UNREACHABLE`, and now and then one is sent. Throws as `FlintlockPort` says; `FR-INVALID`, `FR-CONFIG` and
 * `details.sent === false` mean that nothing was sent.
 */
export function createGrpcFlintlock(options: GrpcFlintlockOptions): FlintlockPort {
  return new GrpcFlintlock(options);
}

class GrpcFlintlock implements FlintlockPort {
  private readonly channels: HostChannels;
  /** What is known of a host's silence, by its name; `key` is that of the channel with which it was learned. */
  private readonly breakers = new Map<string, { readonly key: string; readonly breaker: HostBreaker }>();
  private readonly deadlineMs: number;
  private readonly running = new Set<RunningCall>();
  private stopped = false;

  constructor(private readonly options: GrpcFlintlockOptions) {
    this.channels = new HostChannels(options.resolveSecret);
    this.deadlineMs = options.deadlineMs ?? 10_000;
  }

  async create(request: Parameters<FlintlockPort["create"]>[0]): Promise<HostMicrovm> {
    const message = create(CreateMicroVMRequestSchema, { microvm: buildMicrovmSpec(request) });
    const outcome = await this.call("create", request.host, service.createMicroVM, message);
    const attempted = `creating microVM "${request.microvm.name}" on ${nameOf(request.host)}`;
    const made = readHostMicrovm(answerOf("create", outcome, attempted).microvm);
    if (made !== undefined) return made;
    throw new FireRunnerError("FR-FLINTLOCK-UNKNOWN", `${attempted}: the answer has no uid`, { retryable: true });
  }

  async get(host: Host, uid: string): Promise<HostMicrovm | undefined> {
    const outcome = await this.call("get", host, service.getMicroVM, create(GetMicroVMRequestSchema, { uid }));
    if (outcome.kind === "failure" && meansAbsent(outcome.failure)) return undefined;
    const attempted = `reading microVM ${uid} of ${nameOf(host)}`;
    const found = readHostMicrovm(answerOf("get", outcome, attempted).microvm);
    if (found !== undefined) return found;
    throw new FireRunnerError("FR-FLINTLOCK-UNKNOWN", `${attempted}: the answer has no uid`, { retryable: true });
  }

  async delete(host: Host, uid: string): Promise<"accepted" | "absent"> {
    const outcome = await this.call("delete", host, service.deleteMicroVM, create(DeleteMicroVMRequestSchema, { uid }));
    if (outcome.kind === "failure" && meansAbsent(outcome.failure)) return "absent";
    answerOf("delete", outcome, `deleting microVM ${uid} on ${nameOf(host)}`);
    return "accepted";
  }

  async list(host: Host, namespace: string): Promise<readonly HostMicrovm[]> {
    // To a host an empty namespace means all of them; those of others are none of ours. As a stream the same list would take
    // the host the same walk and the same memory here, and could break off half-way, when half a list is worse than none.
    if (namespace === "") throw new FireRunnerError("FR-INVALID", 'namespace: "" is refused: must be the name of one namespace');
    const outcome = await this.call("list", host, service.listMicroVMs, create(ListMicroVMsRequestSchema, { namespace }));
    const { microvm } = answerOf("list", outcome, `listing namespace "${namespace}" of ${nameOf(host)}`);
    return microvm.flatMap((shown) => {
      const found = readHostMicrovm(shown);
      return found?.namespace === namespace ? [found] : [];
    });
  }

  keepOnly(names: ReadonlySet<string>): void {
    this.channels.keepOnly(names);
    for (const name of this.breakers.keys()) if (!names.has(name)) this.breakers.delete(name);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    const running = [...this.running];
    for (const call of running) call.end({ code: status.CANCELLED, text: "the service is stopping" });
    this.channels.keepOnly(new Set());
    await Promise.allSettled(running.map(({ settled }) => settled));
  }

  private async call<Request, Answer>(
    operation: HostOperation,
    host: Host,
    method: MethodDefinition<Request, Answer>,
    request: Request,
  ): Promise<Outcome<Answer>> {
    const { clock } = this.options;
    const call = new RunningCall();
    const forgetDeadline = clock.after(this.deadlineMs, () => {
      call.end({ code: status.DEADLINE_EXCEEDED, text: `no answer within ${this.deadlineMs} ms` });
    });
    this.running.add(call);
    try {
      if (this.stopped) call.end({ code: status.CANCELLED, text: "the service has stopped" });
      return await this.attempts(operation, host, method, request, call);
    } finally {
      forgetDeadline();
      this.running.delete(call);
      call.settle();
    }
  }

  private async attempts<Request, Answer>(
    operation: HostOperation,
    host: Host,
    method: MethodDefinition<Request, Answer>,
    request: Request,
    call: RunningCall,
  ): Promise<Outcome<Answer>> {
    const { clock, random } = this.options;
    for (let attempt = 1; ; attempt += 1) {
      if (call.ended !== undefined) return { kind: "failure", failure: call.ended };
      const known = this.channels.open(host);
      const breaker = this.breakerOf(host, known.key);
      const admission = breaker.admit();
      if (admission.kind === "withhold") return { kind: "failure", failure: withheldFailure(admission.withheld) };
      const isProbe = admission.kind === "probe";
      // A channel has its own pauses between attempts to connect, and would answer the probe from memory.
      const channel = isProbe ? this.channels.renew(host) : known;
      const outcome = await unaryCall(this.channels, channel, method, request, call.signal).catch((fault: unknown) => {
        if (isProbe) breaker.unknown();
        throw fault;
      });
      this.learn(breaker, outcome, call, isProbe);
      if (outcome.kind === "answer") return outcome;
      if (call.ended !== undefined) {
        // The connection may be dead without knowing it.
        this.channels.discard(channel);
        return { kind: "failure", failure: call.ended };
      }
      if (!mayRepeat(operation, outcome.failure) || attempt === readAttempts || !breaker.mayRepeat()) return outcome;
      await call.pause(clock, random.next() * firstRetryMs * 2 ** (attempt - 1));
    }
  }

  /** At another endpoint, or with other certificates or another token, silence says nothing. */
  private breakerOf({ name }: Host, key: string): HostBreaker {
    const known = this.breakers.get(name);
    if (known?.key === key) return known.breaker;
    const breaker = new HostBreaker(this.options.clock, this.options.random);
    this.breakers.set(name, { key, breaker });
    return breaker;
  }

  private learn(breaker: HostBreaker, outcome: Outcome<unknown>, call: RunningCall, isProbe: boolean): void {
    const failure = outcome.kind === "answer" ? undefined : (call.ended ?? outcome.failure);
    if (failure === undefined || !isSilence(failure)) breaker.heard();
    else if (failure.code !== status.CANCELLED) breaker.unheard(failure.text.trim(), isProbe);
    else if (isProbe) breaker.unknown();
  }
}

/** Only reads: a Create or Delete whose answer was lost may have been carried out. */
function mayRepeat(operation: HostOperation, failure: CallFailure): boolean {
  return (operation === "get" || operation === "list") && !meansAbsent(failure) && meaningOf(failure).retryable;
}

function answerOf<Answer>(operation: HostOperation, outcome: Outcome<Answer>, attempted: string): Answer {
  if (outcome.kind === "answer") return outcome.answer;
  throw failureError(operation, attempted, outcome.failure);
}

function nameOf(host: Host): string {
  return `host "${host.name}" (${host.endpoint})`;
}
