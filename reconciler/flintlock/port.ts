import type { Host } from "../model/host.js";
import type { Image } from "../model/image.js";
import type { Microvm } from "../model/microvm.js";

/** What a host is asked to boot. */
export interface CreateRequest {
  readonly host: Host;
  readonly image: Image;
  readonly microvm: Microvm;
  readonly namespace: string;
  /** Metadata for the guest, in clear text; the adapter encodes it as the host wants it. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The states a host tells of. */
export type HostMicrovmState = "pending" | "created" | "failed" | "deleting";

/** A microVM as a host shows it. */
export interface HostMicrovm {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly state: HostMicrovmState;
  /** How often the host tried again. */
  readonly retry: number;
  /** What it was given for its own network, where the host tells: the address in CIDR form, and the guest's MAC. */
  readonly address?: string | undefined;
  readonly mac?: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Flintlock hosts. Every call has its own deadline and throws a `FireRunnerError` (`FR-HOST-UNREACHABLE`,
 * `FR-HOST-UNAUTHORIZED`, `FR-FLINTLOCK-…`); expected absence is a value. A Create whose error is not `retryable` certainly
 * left nothing on the host; after any other it may be there. `details.sent` is false where the host never saw the call.
 */
export interface FlintlockPort {
  /** Asks for a microVM. Asynchronous on the host and not idempotent: a second call makes a second microVM. */
  create(request: CreateRequest): Promise<HostMicrovm>;
  get(host: Host, uid: string): Promise<HostMicrovm | undefined>;
  /** Resolves with `accepted`, or with `absent` when the host does not know it. */
  delete(host: Host, uid: string): Promise<"accepted" | "absent">;
  list(host: Host, namespace: string): Promise<readonly HostMicrovm[]>;
  /** Closes the channels of hosts whose names are not among these. */
  keepOnly(names: ReadonlySet<string>): void;
  stop(): Promise<void>;
}
