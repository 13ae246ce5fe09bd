import type { JobVariable } from "./received-job.js";

/** A value is not expanded further when it would become longer than what an environment can hold. */
const maxValueLength = 131_072;

/** What is handed over from the runner's own environment: enough to find programs, speak and reach the network. */
const inherited =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|TERM|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|(https?|no|all)_proxy|(HTTPS?|NO|ALL)_PROXY)$/;

/** The part of the runner's environment that a job may see; everything else stays with the runner. */
export function inheritedEnvironment(env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => inherited.test(entry[0]) && entry[1] !== undefined),
  );
}

/**
 * The variables with their references to each other replaced: `$NAME` and `${NAME}` by the value, or by nothing when no
 * variable has the name; `$$` by `$`. The last of several variables of one name counts.
 */
export function expandVariables(variables: readonly JobVariable[]): readonly JobVariable[] {
  const byKey = new Map(variables.map((variable) => [variable.key, variable]));
  const expanded = new Map<string, string>();
  const lookUp = (key: string, path: readonly string[]): string => {
    const variable = byKey.get(key);
    if (variable === undefined) return "";
    if (variable.raw || path.includes(key)) return variable.value;
    const before = expanded.get(key);
    if (before !== undefined) return before;
    const value = expand(variable.value, (inner) => lookUp(inner, [...path, key]));
    expanded.set(key, value);
    return value;
  };
  return [...byKey.values()].map((variable) => ({ ...variable, value: lookUp(variable.key, []) }));
}

function expand(text: string, lookUp: (key: string) => string): string {
  const expanded = text.replaceAll(
    /\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})/g,
    (whole, bare?: string, braced?: string) => (whole === "$$" ? "$" : lookUp(bare ?? braced ?? "")),
  );
  return expanded.length > maxValueLength ? text : expanded;
}
