import { status } from "@grpc/grpc-js";

/** What a call is answered instead of a result. A real host answers nearly everything with UNKNOWN. */
export class HostError extends Error {
  constructor(
    readonly details: string,
    readonly code: status = status.UNKNOWN,
  ) {
    super(details);
    this.name = "HostError";
  }
}
