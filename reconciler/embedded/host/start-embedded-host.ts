import { isIP } from "node:net";
import { ServerCredentials } from "@grpc/grpc-js";
import { type MicroVM, MicroVMStatus_MicroVMState } from "../../../proto/gen/types/microvm_pb.js";
import type { Clock, Random } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import { DialBoard, type HostDials } from "./dials.js";
import type { VmDriver } from "./driver.js";
import { hostCalls } from "./host-calls.js";
import { HostMachine, type HostTimings, usualTimings } from "./host-machine.js";
import { HostServer } from "./host-server.js";
import { seededRandom } from "./seeded-random.js";

export interface EmbeddedHostOptions {
  /** `ADDRESS:PORT`; port 0 takes a free one. Beyond loopback a token is needed. */
  readonly listen: string;
  readonly driver: VmDriver;
  readonly clock: Clock;
  /** Decides ids, the order of lists and the faults that happen by chance. */
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
export interface EmbeddedMicrovm {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly vcpu: number;
  readonly memoryMb: number;
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
  /** The daemon ends: its port is closed, connections and timers are gone; the VMs run on. */
  takeDown(): Promise<void>;
  /** The daemon begins again at the same address, with the same microVMs, and looks at each of them. */
  bringUp(): Promise<void>;
  /** A VM loses its power; the host says `created` of it all the same, and starts it again at its next resync. */
  powerOff(uid: string): Promise<void>;
  /** Ends every call and every microVM. */
  stop(): Promise<void>;
}

/**
 * Starts a Flintlock-compatible host: the API of a flintlockd v0.11, its texts, its asynchrony and its traps, in front of
 * VMs that `driver` runs. It remembers nothing beyond its life. Throws `FR-INVALID` for an address that cannot be used.
 */
export async function startEmbeddedHost(options: EmbeddedHostOptions): Promise<EmbeddedHost> {
  const { driver, clock, random, token } = options;
  const { address, port: wanted } = readAddress(options);
  await driver.start();
  // Of their own, so that faults come in the same order however often microVMs are listed.
  const dials = new DialBoard(seededRandom(Number.parseInt(random.hex(4), 16)));
  const onFault = options.onFault ?? (() => undefined);
  const machine = new HostMachine({ driver, clock, random, dials, onFault, timings: { ...usualTimings, ...options.timings } });
  const cut = (peer: string) => server.cut(peer);
  const calls = { ...hostCalls({ machine, dials, clock, cut, ...(token === undefined ? {} : { token }) }) };
  const server = new HostServer({ address, credentials: options.credentials ?? ServerCredentials.createInsecure(), calls });
  const takeDown = async () => {
    await server.close();
    await machine.stop();
  };
  try {
    const port = await server.open(wanted);
    machine.start();
    return {
      address: `${options.listen.slice(0, options.listen.lastIndexOf(":"))}:${port}`,
      microvms: () => machine.list().flatMap((microvm) => tell(microvm, machine)),
      dial: (change) => dials.set(change),
      takeDown,
      async bringUp() {
        await takeDown();
        await server.open(port);
        machine.start();
      },
      powerOff: (uid) => driver.powerOff(uid),
      async stop() {
        await takeDown();
        await driver.stop();
      },
    };
  } catch (error) {
    await driver.stop();
    throw error;
  }
}

/** Where to listen, as `net` wants it. */
function readAddress({ listen, token }: EmbeddedHostOptions): { readonly address: string; readonly port: number } {
  const parts = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(listen);
  if (parts === null) throw refused(listen, "must be ADDRESS:PORT such as 127.0.0.1:9090");
  const address = (parts[1] ?? "").replace(/[[\]]/g, "");
  const isLoopback = address === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
  if (!isLoopback && token === undefined) {
    throw refused(listen, "must be a loopback address unless a token is set, because whoever reaches it can run programs here");
  }
  const port = Number(parts[2]);
  if (port > 65_535) throw refused(listen, "must have a port of at most 65535");
  return { address, port };
}

function refused(listen: string, accepted: string): FireRunnerError {
  return new FireRunnerError("FR-INVALID", `embedded host: listen: "${listen}" is refused: ${accepted}`);
}

const states = new Map<number, EmbeddedMicrovm["state"]>([
  [MicroVMStatus_MicroVMState.PENDING, "pending"],
  [MicroVMStatus_MicroVMState.CREATED, "created"],
  [MicroVMStatus_MicroVMState.FAILED, "failed"],
  [MicroVMStatus_MicroVMState.DELETING, "deleting"],
]);

function tell({ spec, status }: MicroVM, machine: HostMachine): readonly EmbeddedMicrovm[] {
  if (spec?.uid === undefined || status === undefined) return [];
  const { uid, id: name, namespace, vcpu, memoryInMb: memoryMb } = spec;
  const { state, retry } = status;
  return [{ uid, name, namespace, vcpu, memoryMb, state: states.get(state) ?? "pending", retry, running: machine.isRunning(uid) }];
}
