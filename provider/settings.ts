import { FireRunnerError } from "../reconciler/model/errors.js";

/** Where a reconciler is, and the token for it. */
export interface Settings {
  readonly url: string;
  readonly token: string;
}

/** Looks up one value of a stack's (or an explicit provider's) configuration by its whole key. */
export type Lookup = (key: string) => unknown;

/** What surprises whoever has just set another value: without the program, the engine takes them from the stack's state. */
export const fromState = "`pulumi refresh` and `pulumi destroy` use what the last `up` was told, unless they are given --run-program";

/**
 * The settings of one provider process: its configuration, then the environment, as the command line reads it. Throws
 * `FR-CONFIG`, which says what is missing and how it is set.
 */
export function settingsFrom(lookup: Lookup, env: Readonly<Record<string, string | undefined>>): Settings {
  const find = (key: string, variable: string): string | undefined => {
    const configured = lookup(key);
    return typeof configured === "string" && configured !== "" ? configured : env[variable] || undefined;
  };
  const url = find("firerunner:endpoint", "FIRERUNNER_URL");
  const token = find("firerunner:token", "FIRERUNNER_TOKEN");
  if (url === undefined || token === undefined) {
    const missing = [
      ...(url === undefined ? ["the reconciler's address: `pulumi config set firerunner:endpoint URL`, or FIRERUNNER_URL"] : []),
      ...(token === undefined ? ["its token: `pulumi config set --secret firerunner:token`, or FIRERUNNER_TOKEN"] : []),
    ];
    throw new FireRunnerError("FR-CONFIG", `not set: ${missing.join("; and ")} (${fromState})`);
  }
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.username !== "" || parsed.password !== "") {
    throw new FireRunnerError("FR-CONFIG", "firerunner:endpoint is refused: must be an http or https URL without a user or password");
  }
  return { url: url.replace(/\/+$/, ""), token };
}
