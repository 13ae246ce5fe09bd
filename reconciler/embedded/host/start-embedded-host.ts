import { isIP } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { MicroVM as MicroVMService } from "../../../proto/gen/services/microvm/v1alpha1/microvms_pb.js";
import { type MicroVM, MicroVMStatus_MicroVMState } from "../../../proto/gen/types/microvm_pb.js";
import { grpcService } from "../../../proto/grpc.js";
import type { Clock, Random } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import { DialBoard, type HostDials } from "./dials.js";
import type { VmDriver } from "./driver.js";
import { hostCalls } from "./host-calls.js";
import { HostMachine, type HostTimings, usualTimings } from "./host-machine.js";

export interface EmbeddedHostOptions {
  /** `ADDRESS:PORT`; port 0 takes a free one. Beyond loopback a token is needed. */
  readonly listen: string;
  readonly driver: VmDriver;
  readonly clock: Clock;
  readonly random: Random;
  readonly timings?: Partial<HostTimings>;
  /** The Basic token that every call must bring. */
  readonly token?: string;
  /** Told why building or removing a microVM failed, which callers are not: what a real host writes to its log. */
  readonly onFault?: (error: FireRunnerError) => void;
  /** Without TLS when left out. */
  readonly credentials?: ServerCredentials;
}

/** A microVM as the host itself knows it. */
interface EmbeddedMicrovm {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly state: "pending" | "created" | "failed" | "deleting";
  readonly retry: number;
  /** Whether its process lives; a host says `created` all the same when it does not. */
  readonly running: boolean;
}

export interface EmbeddedHost {
  /** `ADDRESS:PORT` as it listens. */
  readonly address: string;
  microvms(): readonly EmbeddedMicrovm[];
  /** Dials faults in, or out again. */
  dial(change: Partial<HostDials>): void;
  /** Ends every call and every microVM. */
  stop(): Promise<void>;
}

/**
 * Starts a Flintlock-compatible host: the API of a flintlockd v0.11, its texts, its asynchrony and its traps, in front of
 * VMs that `driver` runs. It remembers nothing beyond its life. Throws `FR-INVALID` for an address that cannot be used.
 */
export async function startEmbeddedHost(options: EmbeddedHostOptions): Promise<EmbeddedHost> {
  const { driver, clock, random, token } = options;
  checkAddress(options);
  await driver.start();
  const dials = new DialBoard();
  const onFault = options.onFault ?? (() => undefined);
  const machine = new HostMachine({ driver, clock, random, dials, onFault, timings: { ...usualTimings, ...options.timings } });
  const server = new Server();
  server.addService(grpcService(MicroVMService), { ...hostCalls({ machine, dials, clock, ...(token === undefined ? {} : { token }) }) });
  const stop = async () => {
    server.forceShutdown();
    await machine.stop();
    await driver.stop();
  };
  try {
    const port = await bind(server, options);
    return {
      address: `${options.listen.slice(0, options.listen.lastIndexOf(":"))}:${port}`,
      microvms: () => machine.list().flatMap((microvm) => tell(microvm, machine)),
      dial: (change) => dials.set(change),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function checkAddress({ listen, token }: EmbeddedHostOptions): void {
  const parts = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(listen);
  if (parts === null) throw refused(listen, "must be ADDRESS:PORT such as 127.0.0.1:9090");
  const address = (parts[1] ?? "").replace(/[[\]]/g, "");
  const isLoopback = address === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
  if (!isLoopback && token === undefined) {
    throw refused(listen, "must be a loopback address unless a token is set, because whoever reaches it can run programs here");
  }
}

function refused(listen: string, accepted: string): FireRunnerError {
  return new FireRunnerError("FR-INVALID", `embedded host: listen: "${listen}" is refused: ${accepted}`);
}

function bind(server: Server, { listen, credentials }: EmbeddedHostOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials ?? ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(new FireRunnerError("FR-INVALID", `embedded host: cannot listen on ${listen}: ${error.message}`, { cause: error }));
    });
  });
}

const states = new Map<number, EmbeddedMicrovm["state"]>([
  [MicroVMStatus_MicroVMState.PENDING, "pending"],
  [MicroVMStatus_MicroVMState.CREATED, "created"],
  [MicroVMStatus_MicroVMState.FAILED, "failed"],
  [MicroVMStatus_MicroVMState.DELETING, "deleting"],
]);

function tell({ spec, status }: MicroVM, machine: HostMachine): readonly EmbeddedMicrovm[] {
  if (spec?.uid === undefined || status === undefined) return [];
  const { uid, id: name, namespace } = spec;
  return [{ uid, name, namespace, state: states.get(status.state) ?? "pending", retry: status.retry, running: machine.isRunning(uid) }];
}
