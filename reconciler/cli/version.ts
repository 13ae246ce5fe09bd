import { readFileSync } from "node:fs";

/** The version of this package, wherever it runs from: its source or what was built of it. */
export function readVersion(): string {
  for (const up of ["../../package.json", "../../../package.json"]) {
    const found = read(new URL(up, import.meta.url));
    if (found !== undefined) return found;
  }
  return "unknown";
}

function read(file: URL): string | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof content !== "object" || content === null || !("name" in content) || content.name !== "firerunner") return undefined;
    return "version" in content && typeof content.version === "string" ? content.version : undefined;
  } catch {
    // There is no such file here: the package's own lies a folder higher.
    return undefined;
  }
}
