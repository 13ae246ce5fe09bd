/**
 * Every code that FireRunner can show, with what it means and what to do about it. The table is the documentation
 * of the codes: `docs/errors.md` is checked against it.
 */
export const errorCodes = {
  "FR-INVALID": "A value was refused; the message names the field, the value and what is accepted.",
  "FR-NOT-FOUND": "The named record does not exist.",
  "FR-CONFLICT": "The record changed since it was read; read it again and repeat.",
  "FR-UNAUTHORIZED": "The credential is missing or wrong.",
  "FR-REFERENCED": "The record is still used by another one.",
  "FR-CONFIG": "The service file or a secret reference cannot be used.",
  "FR-STORE": "The store could not be read or written.",
  "FR-STORE-NEWER": "The store was written by a newer FireRunner; upgrade this one.",
  "FR-STORE-SEALED": "A secret in the store cannot be opened with this key.",
  "FR-NOT-LEADER": "Another replica leads; a write under an old epoch was refused.",
  "FR-HOST-UNREACHABLE": "The Flintlock host did not answer in time.",
  "FR-HOST-UNAUTHORIZED": "The Flintlock host refused the credential.",
  "FR-HOST-DRAINED": "The drain of the host reached its deadline while the job still ran there.",
  "FR-FLINTLOCK-REJECTED": "The Flintlock host refused the request; the message holds its text.",
  "FR-FLINTLOCK-NOT-FOUND": "The Flintlock host does not know the microVM.",
  "FR-FLINTLOCK-UNKNOWN": "The Flintlock host answered with an error that is not known; the text is kept whole.",
  "FR-FORGE-UNREACHABLE": "The forge did not answer in time.",
  "FR-FORGE-UNAUTHORIZED": "The forge refused the token, or the token may not do this.",
  "FR-FORGE-RATE-LIMITED": "The forge asked to come back later.",
  "FR-FORGE-REJECTED": "The forge refused the request; the message holds its text.",
  "FR-FORGE-NOT-FOUND": "The forge does not know the object.",
  "FR-FORGE-RUNNER-LIMIT": "The forge makes no more runners for this project or group; its plan limits their number.",
  "FR-FORGE-RUNNER-DELETED": "The microVM's runner was deleted in the forge before it took a job; the microVM is replaced.",
  "FR-WEBHOOK-REFUSED": "The webhook was not authentic or not understood.",
  "FR-GUEST-REFUSED": "A guest's claim was refused.",
  "FR-GUEST-INCIDENT": "A second secret claimed a microVM within one boot; the microVM is removed.",
  "FR-GUEST-RESTARTED": "The guest booted again; the microVM is replaced.",
  "FR-GUEST-LOST": "The guest was not heard before its deadline.",
  "FR-VM-BOOT-TIMEOUT": "The microVM did not claim before its boot deadline.",
  "FR-VM-CREATE-FAILED": "The host could not create the microVM.",
  "FR-VM-DELETE-STUCK": "The microVM is not gone from its host long after it was to be deleted.",
  "FR-VM-NO-JOB": "The microVM ended without having run a job.",
  "FR-VM-ORPHAN": "The microVM was found on a host without a record.",
  "FR-VM-VANISHED": "The host no longer knows the microVM.",
  "FR-JOB-TIMEOUT": "The job ran longer than its pool allows.",
  "FR-JOB-RETRIED-BEFORE": "A job of this name was retried before in its pipeline because a microVM was lost; it is not retried again.",
  "FR-NO-POOL": "No pool takes the job; the message names the nearest one and what it lacks.",
  "FR-PROTECTION-UNKNOWN": "Whether the job's ref is protected is not known: it is being read, or the token may not read it.",
  "FR-SIZE-REFUSED": "The job's tag asks for a size that the pool does not give.",
  "FR-POOL-LIMIT": "The pool is at its maxMicrovms.",
  "FR-PROJECT-LIMIT": "The job's project has its maxMicrovmsPerProject of the pool.",
  "FR-POOL-BACKOFF": "MicroVMs of this class ended without taking a job; the next try comes later.",
  "FR-NO-CAPACITY": "No host has room for the size.",
  "FR-NO-ADDRESS": "No host with room has a free address.",
  "FR-HOSTS-UNKNOWN": "No host could be read.",
  "FR-CONNECTION-STALE": "The forge has not been read for too long; nothing new is made for it.",
  "FR-WAITING-FOR-MICROVM": "A microVM for the job is on its way.",
  "FR-IMAGE-BUILD": "Building an image, or a step of it, failed; the message holds the tool's last words.",
  "FR-IMAGE-UNFIT": "An image would not boot to a claim; the message says what it lacks.",
  "FR-INTERNAL": "A fault of FireRunner itself; the cause is in the log.",
} as const;

/** One of the documented codes. */
export type ErrorCode = keyof typeof errorCodes;

/** What an error carries besides its code and message. `details` must not hold secrets: it is shown and logged. */
export interface ErrorContext {
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The one error class: `message` says what was attempted, on what, and what to do. */
export class FireRunnerError extends Error {
  readonly code: ErrorCode;
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  /** The other side's wish, in milliseconds from now, when it had one. */
  readonly retryAfterMs: number | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.name = "FireRunnerError";
    this.code = code;
    this.retryable = context.retryable ?? false;
    this.retryAfterMs = context.retryAfterMs;
    this.details = context.details ?? {};
  }

  /** Converts whatever was caught at a boundary; what is not yet ours becomes `FR-INTERNAL`. */
  static from(caught: unknown, code: ErrorCode = "FR-INTERNAL", attempted = "an internal step"): FireRunnerError {
    if (caught instanceof FireRunnerError) return caught;
    const text = caught instanceof Error ? caught.message : String(caught);
    return new FireRunnerError(code, `${attempted} failed: ${text}`, { cause: caught });
  }
}
