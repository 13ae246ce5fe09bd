import { FireRunnerError } from "../model/errors.js";

const mostLines = 32;

/** Fields of a guest's `key=value` lines; refused ones throw `FR-INVALID` and never show a value that may be secret. */
export interface GuestForm {
  /** The field's text, which `pattern` accepts; `accepted` says in words what that is. */
  field(name: string, pattern: RegExp, accepted: string): string;
  /** The same of a field that may be missing. */
  optional(name: string, pattern: RegExp, accepted: string): string | undefined;
}

/** Reads lines `key=value`, each key once. Keys that nobody asks for are left alone: a later agent may say more. */
export function readGuestForm(body: string): GuestForm {
  const lines = body.split("\n").filter((line) => line !== "");
  if (lines.length > mostLines) throw new FireRunnerError("FR-INVALID", `the body has more than ${mostLines} lines`);
  const fields = new Map<string, string>();
  for (const line of lines) {
    const equals = line.indexOf("=");
    if (equals < 1) throw new FireRunnerError("FR-INVALID", "each line of the body must be key=value");
    const key = line.slice(0, equals);
    if (fields.has(key)) throw new FireRunnerError("FR-INVALID", "the body names a key twice");
    fields.set(key, line.slice(equals + 1));
  }
  function optional(name: string, pattern: RegExp, accepted: string): string | undefined {
    const value = fields.get(name);
    if (value !== undefined && !pattern.test(value)) throw new FireRunnerError("FR-INVALID", `${name} is refused: must be ${accepted}`);
    return value;
  }
  return {
    optional,
    field(name, pattern, accepted) {
      const value = optional(name, pattern, accepted);
      if (value === undefined) throw new FireRunnerError("FR-INVALID", `${name} is missing: must be ${accepted}`);
      return value;
    },
  };
}
