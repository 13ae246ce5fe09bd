import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { FireRunnerError } from "../model/errors.js";
import { parseOrRefuse } from "../model/validation.js";

/** Says who does something; printable ASCII. Without it, it is `admin`. */
const whoHeader = "x-firerunner-by";
const whoSchema = z
  .string()
  .max(200, "must be at most 200 characters")
  .regex(/^[!-~]([ -~]*[!-~])?$/, "must be printable ASCII")
  .default("admin");

/** Who asks for something, as the request says; `FR-INVALID` when it says it in a way that cannot be recorded. */
export function whoAsks(request: FastifyRequest): string {
  const given = request.headers[whoHeader];
  if (Array.isArray(given)) throw new FireRunnerError("FR-INVALID", `${whoHeader}: is given more than once`);
  return parseOrRefuse(z.object({ [whoHeader]: whoSchema }), { [whoHeader]: given }, "header")[whoHeader] ?? "admin";
}
