import { stringify } from "yaml";

export const formats = ["table", "wide", "json", "yaml"] as const;
export type Format = (typeof formats)[number];

/** The option by which a list's form is chosen. */
export const outputArg = {
  output: {
    type: "enum",
    alias: "o",
    options: formats as unknown as ["table", "wide", "json", "yaml"],
    default: "table",
    description: "How to show it",
  },
} as const;

/** Data as JSON or YAML; what is undefined is left out. */
export function structured(value: unknown, format: "json" | "yaml"): string {
  return format === "json" ? JSON.stringify(value, undefined, 2) : stringify(value, { lineWidth: 0 }).trimEnd();
}
