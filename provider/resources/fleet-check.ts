import * as pulumi from "@pulumi/pulumi";
import { FireRunnerError } from "../../reconciler/model/errors.js";
import { type FleetInput, fleetRefusals, fleetSchema } from "../../reconciler/model/fleet.js";

const lists = ["hosts", "images", "connections", "pools"] as const;
const options = ["resolveTags"];

/** Inputs of the resources that are no part of a fleet file's records. */
const beside: ReadonlySet<string> = new Set(["timeouts", "onDelete", "resolveTags"]);

/**
 * Refuses what is wrong between the records of a fleet while the program runs, so that a preview finds it: lists that do
 * not exist, records without a name, doubled names, networks that share addresses. What is wrong within a record is told
 * by the resource itself. Throws `FR-INVALID` with one line for each mistake.
 */
export function checkFleet(fleet: object, what: string): void {
  const unknown = Object.keys(fleet).filter((key) => ![...lists, ...options].includes(key));
  const refused = unknown.map((key) => `${key}: is not a known field; a fleet has ${lists.join(", ")}`);
  for (const list of lists) refused.push(...malformed(list, (fleet as Readonly<Record<string, unknown>>)[list]));
  if (refused.length === 0) refused.push(...between(fleet as FleetInput));
  if (refused.length > 0) throw new FireRunnerError("FR-INVALID", refused.map((line) => `${what}: ${line}`).join("\n"));
}

function malformed(list: string, records: unknown): readonly string[] {
  if (records === undefined) return [];
  if (!Array.isArray(records)) return [`${list}: is refused: must be a list`];
  return records.flatMap((record: unknown, index) => {
    const name = typeof record === "object" && record !== null && "name" in record ? record.name : undefined;
    return typeof name === "string" ? [] : [`${list}[${index}].name: is missing: every record of a fleet needs its name as plain text`];
  });
}

function between(fleet: FleetInput): readonly string[] {
  const records = Object.fromEntries(lists.map((list) => [list, (fleet[list] ?? []).map(withoutBeside)]));
  if (!isPlain(records)) return [];
  const parsed = fleetSchema.safeParse(records);
  if (!parsed.success) return [];
  // A pool may also name what is declared elsewhere.
  return fleetRefusals(parsed.data).flatMap(({ field, message }) => (/\.(image|connection)$/.test(field) ? [] : [`${field}: ${message}`]));
}

const withoutBeside = (record: object): object => Object.fromEntries(Object.entries(record).filter(([key]) => !beside.has(key)));

/** Whether everything in a value is known now. */
function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (pulumi.Output.isInstance(value) || value instanceof Promise) return false;
  return Object.values(value).every(isPlain);
}
