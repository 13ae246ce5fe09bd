import { type ErrorCode, errorCodes, FireRunnerError } from "../model/errors.js";

/** The body of every refusal on every listener that speaks JSON. */
interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface ErrorResponse {
  readonly status: number;
  readonly body: ErrorBody;
  /** Whether the cause belongs into the log, because the caller is not told it. */
  readonly fault: boolean;
}

const statuses: Partial<Record<ErrorCode, number>> = {
  "FR-INVALID": 400,
  "FR-WEBHOOK-REFUSED": 400,
  "FR-UNAUTHORIZED": 401,
  "FR-GUEST-REFUSED": 403,
  "FR-NOT-FOUND": 404,
  "FR-REFERENCED": 409,
  "FR-CONFLICT": 412,
  "FR-CONFIG": 503,
  "FR-STORE": 503,
  "FR-NOT-LEADER": 503,
  "FR-FORGE-UNREACHABLE": 502,
  "FR-FORGE-UNAUTHORIZED": 502,
  "FR-FORGE-RATE-LIMITED": 502,
  "FR-FORGE-REJECTED": 502,
  "FR-FORGE-NOT-FOUND": 502,
};

/** What the HTTP layer itself refuses, by status. */
const refusals: Readonly<Record<number, string>> = {
  400: "the request is malformed",
  404: "there is nothing at this address",
  405: "this method is not known here",
  408: "the request did not arrive in time",
  411: "the request must tell its length",
  413: "the body is larger than what is accepted here",
  414: "the address is longer than what is accepted here",
  415: "the body must be application/json",
  431: "the headers are larger than what is accepted here",
};

/** An error that answers with a status for which there is no code. */
export const httpError = (status: 400 | 413 | 415): Error => Object.assign(new Error(refusals[status]), { statusCode: status });

/** Where the framework knows more than a status says. */
const bodyRefusals: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: "the body is not valid JSON",
  FST_ERR_CTP_EMPTY_JSON_BODY: "the body is empty: it must be JSON",
};

/**
 * The answer to something that was thrown. Refusals are told in full, and so is what a forge said, or that another leads; of a fault (any other
 * status of 500 and above) only what the table of codes says about it, because its message may hold paths or SQL.
 */
export function errorResponse(caught: unknown): ErrorResponse {
  if (caught instanceof FireRunnerError) {
    const status = statuses[caught.code] ?? 500;
    if (status >= 500 && status !== 502 && caught.code !== "FR-NOT-LEADER")
      return { status, body: { code: caught.code, message: errorCodes[caught.code] }, fault: true };
    const details = Object.keys(caught.details).length > 0 ? { details: caught.details } : {};
    return { status, body: { code: caught.code, message: caught.message, ...details }, fault: false };
  }
  const { status, code } = told(caught);
  const refusal = bodyRefusals[code] ?? (status === undefined ? undefined : refusals[status]);
  if (status === undefined || refusal === undefined) {
    return { status: 500, body: { code: "FR-INTERNAL", message: errorCodes["FR-INTERNAL"] }, fault: true };
  }
  return { status, body: { code: status === 404 ? "FR-NOT-FOUND" : "FR-INVALID", message: refusal }, fault: false };
}

function told(caught: unknown): { readonly status: number | undefined; readonly code: string } {
  if (typeof caught !== "object" || caught === null) return { status: undefined, code: "" };
  const status = "statusCode" in caught && typeof caught.statusCode === "number" ? caught.statusCode : undefined;
  return { status, code: "code" in caught && typeof caught.code === "string" ? caught.code : "" };
}
