import { status } from "@grpc/grpc-js";
import { type ErrorCode, FireRunnerError } from "../../model/errors.js";
import type { Withheld } from "./host-breaker.js";

/** What is asked of a host. */
export type HostOperation = "create" | "get" | "delete" | "list";

/** A call that ended without an answer: the gRPC code and the other side's (or the channel's) text. */
export interface CallFailure {
  readonly code: number;
  readonly text: string;
  /** Set when the call was not even sent, because the host has been silent for too long. */
  readonly withheld?: Withheld;
}

/**
 * What a failure means. `retryable` of a Create is false only where the host certainly did not store it: there the
 * microVM is given up at once, everywhere else it is looked for by name.
 */
export interface FailureMeaning {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** What a person should do, when something can be said. */
  readonly advice?: string;
}

interface KnownFailure extends FailureMeaning {
  readonly codes: readonly number[];
  readonly text?: RegExp;
}

const rejected = { code: "FR-FLINTLOCK-REJECTED", retryable: false } as const;
const unauthorized = { code: "FR-HOST-UNAUTHORIZED", retryable: false } as const;
const noTls = { code: "FR-HOST-UNREACHABLE", retryable: false, codes: [status.UNAVAILABLE] } as const;

/**
 * The failures that are known; the first that fits counts. Flintlock answers nearly everything with UNKNOWN, so that
 * only its texts tell a refusal, which is final, from trouble that passes.
 */
const known: readonly KnownFailure[] = [
  { ...rejected, codes: [status.UNKNOWN], text: /^converting request: / },
  { ...rejected, codes: [status.UNKNOWN], text: /^creating microvm: an error occurred when attempting to validate microvm spec: / },
  { ...rejected, codes: [status.UNKNOWN], text: /^creating microvm: microvm provider \S* isn't available$/ },
  { ...rejected, codes: [status.UNKNOWN], text: /^creating microvm: .+ not supported by the microvm provider$/ },
  { ...rejected, codes: [status.UNKNOWN], text: /^creating microvm: adding instance data: / },
  {
    ...rejected,
    codes: [status.UNKNOWN],
    text: /unexpected vmid format: /,
    advice: "a microVM with '/' in its id blocks the host; remove its record on the host by hand",
  },
  // A microVM that is removed while the host walks its store makes that walk fail as a whole.
  {
    code: "FR-FLINTLOCK-REJECTED",
    retryable: true,
    codes: [status.UNKNOWN],
    text: /failed reading from content store|reading content sha256:/,
  },
  { ...rejected, codes: [status.INVALID_ARGUMENT] },
  { ...rejected, codes: [status.UNIMPLEMENTED], advice: "the endpoint does not speak Flintlock's API" },
  {
    ...unauthorized,
    codes: [status.UNAUTHENTICATED],
    text: /^could not extract token/,
    advice: "the host wants a token; set the host's token to a reference to it",
  },
  {
    ...unauthorized,
    codes: [status.UNAUTHENTICATED, status.PERMISSION_DENIED],
    advice: "check that the host's token is the one that flintlockd was started with",
  },
  { ...noTls, text: /certificate has expired|CERT_HAS_EXPIRED/i, advice: "the host's certificate has expired; renew it" },
  {
    ...noTls,
    text: /self-signed certificate|unable to (verify the first|get (local )?issuer) certificate|certificate signature failure/i,
    advice: "the host's certificate comes from a CA that is not trusted; set tls.caFile to the right one",
  },
  { ...noTls, text: /does not match certificate's altnames/i, advice: "the host's certificate is for another name than the endpoint's" },
  {
    ...noTls,
    text: /alert certificate required|CERTIFICATE_REQUIRED/i,
    advice: "the host demands a client certificate; set tls.certFile and tls.keyFile",
  },
  {
    ...noTls,
    text: /alert (certificate|bad certificate|unknown ca|handshake failure)|(UNKNOWN_CA|BAD_CERTIFICATE)/i,
    advice: "the host does not accept the client certificate; check tls.certFile and tls.keyFile",
  },
  { ...noTls, text: /wrong version number|packet length too long/i, advice: "the host speaks without TLS; set tls to {insecure: true}" },
  {
    code: "FR-HOST-UNREACHABLE",
    retryable: true,
    codes: [status.UNAVAILABLE],
    text: /Last error: (Failed to connect|Protocol error)/,
    advice:
      "it closed the connection at once; check the port, whether it wants TLS, and whether it wants a client certificate that it trusts (tls.certFile)",
  },
  { code: "FR-HOST-UNREACHABLE", retryable: true, codes: [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED] },
];

/** A failure that says no more than that the microVM is not there. */
export function meansAbsent({ code, text }: CallFailure): boolean {
  return code === status.NOT_FOUND || (code === status.UNKNOWN && /microvm spec \S* not found$/.test(text));
}

/** What a failure means; what is not in the table is in doubt. */
export function meaningOf({ code, text }: CallFailure): FailureMeaning {
  const found = known.find((entry) => entry.codes.includes(code) && (entry.text === undefined || entry.text.test(text)));
  return found ?? { code: "FR-FLINTLOCK-UNKNOWN", retryable: true };
}

/** Whether a call ended without a word of the host: it is not there, not reached, or does not speak TLS as it should. */
export function isSilence(failure: CallFailure): boolean {
  return !meansAbsent(failure) && meaningOf(failure).code === "FR-HOST-UNREACHABLE";
}

/** The failure of a call that was not sent. */
export function withheldFailure(withheld: Withheld): CallFailure {
  const { since, calls, why, retryAfterMs } = withheld;
  const silent = `the host has been silent since ${new Date(since).toISOString()}, ${calls} calls long`;
  const text = `not sent: ${silent}; it is tried again in ${Math.ceil(retryAfterMs / 1000)} s; the last call: ${why}`;
  return { code: status.UNAVAILABLE, text, withheld };
}

/**
 * The error of a failure; `attempted` says what was asked of which host. The other side's text is kept whole.
 * `details.sent` is false where the host certainly never saw the call.
 */
export function failureError(operation: HostOperation, attempted: string, failure: CallFailure): FireRunnerError {
  const { code, retryable, advice } = meaningOf(failure);
  const message = `${attempted} failed: ${failure.text.trim()}${advice === undefined ? "" : ` (${advice})`}`;
  const isUnsent =
    failure.withheld !== undefined || (code === "FR-HOST-UNREACHABLE" && failure.text.startsWith("No connection established"));
  return new FireRunnerError(code, message, {
    // A Create that was never sent left nothing to search for.
    retryable: retryable && !(operation === "create" && isUnsent),
    details: { grpcCode: failure.code, text: failure.text, ...(isUnsent ? { sent: false } : {}) },
    ...(failure.withheld === undefined ? {} : { retryAfterMs: failure.withheld.retryAfterMs }),
  });
}
