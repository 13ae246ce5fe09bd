import { stringify } from "yaml";

export type Format = "table" | "wide" | "json" | "yaml";

/** The option by which a list's form is chosen. */
export const outputArg = {
  output: {
    type: "enum",
    alias: "o",
    options: ["table", "wide", "json", "yaml"] satisfies Format[],
    default: "table",
    description: "How to show it",
  },
} as const;

/** Data as JSON or YAML; what is undefined is left out. */
export function structured(value: unknown, format: "json" | "yaml"): string {
  return format === "json" ? JSON.stringify(value, undefined, 2) : stringify(value, { lineWidth: 0 }).trimEnd();
}
