const shown = "[redacted]";
const maxDepth = 8;
const maxItems = 200;

/** Names of fields whose value is a secret, whatever it looks like. */
const secretName =
  /token|secret|passw|authorization|cookie|credential|signature|nonce|sealed|private[-_]?key|api[-_]?key|service[-_]?key|key[-_]?pem/i;

/** Names of fields that hold a whole configuration or message: a runner's configuration has its token in it. */
const bodyName = /^(raw|request|response|runner|config)?[-_]?(body|payload|config|toml)$/i;

/** Secrets that give themselves away by their shape, wherever they stand. */
const shapes: readonly (readonly [RegExp, string])[] = [
  [/\b(?:gl(?:rt|rtr|pat|ptt|dt|cbt|soat|imt|agent|ft|oas|ffct)-|GR1348941)[\w.-]{6,}/g, shown],
  [/\bwhsec_[\w+/=-]{4,}/g, shown],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${shown}`],
  [/(:\/\/)[^\s/@"':]+:[^\s/@"']+@/g, `$1${shown}@`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----/gs, shown],
  [/((?:private|job|runner|gitlab|deploy)-token\\?["']?\s*[:=]\s*\\?["']?)[^\s"'\\,;&[]{4,}/gi, `$1${shown}`],
  [/((?:token|secret|password)\\?["']?\s*=\s*\\?["']?)[^\s"'\\,;&[]{4,}/gi, `$1${shown}`],
];

/** The text without what looks like a secret. */
export function redactText(text: string): string {
  return shapes.reduce((left, [shape, replacement]) => left.replace(shape, replacement), text);
}

/**
 * A copy of fields for the log: values under names that mean secrets or whole bodies are replaced at any depth (up to
 * 8, below which nothing is shown), errors become plain objects, bytes become their count.
 */
export function redactFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return entries(Object.entries(fields), 1);
}

function entries(pairs: Iterable<readonly [unknown, unknown]>, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  let count = 0;
  for (const [key, value] of pairs) {
    count += 1;
    if (count > maxItems) {
      result["…"] = "more fields";
      break;
    }
    const name = String(key);
    result[name] = hidden(name, value) ? shown : redact(value, depth);
  }
  return result;
}

function hidden(name: string, value: unknown): boolean {
  if (value === undefined || value === null || typeof value === "boolean") return false;
  return secretName.test(name) || bodyName.test(name);
}

function redact(value: unknown, depth: number): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "function" || typeof value === "symbol") return undefined;
  if (typeof value !== "object" || value === null) return value;
  if (depth > maxDepth) return "[too deep]";
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "invalid date" : value.toISOString();
  if (value instanceof URL) return redactText(value.href);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (value instanceof Map) return entries(value, depth + 1);
  if (Array.isArray(value) || value instanceof Set) return headerList([...value], depth);
  return entries(Object.entries(value), depth + 1);
}

/** Header lists come as `[name, value, name, value]` too: the value after a secret name is as secret as a field's. */
function headerList(list: readonly unknown[], depth: number): readonly unknown[] {
  return list.slice(0, maxItems).map((item, index) => {
    const before = list[index - 1];
    return typeof before === "string" && before.length < 64 && typeof item === "string" && hidden(before, item)
      ? shown
      : redact(item, depth + 1);
  });
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  return {
    ...entries(Object.entries(error), depth + 1),
    type: error.name,
    message: redactText(error.message),
    ...(error.stack === undefined ? {} : { stack: redactText(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }),
  };
}
