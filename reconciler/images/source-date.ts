import { FireRunnerError } from "../model/errors.js";

/** The day of the recipes: 2026-11-01. It moves when they do, and never with the clock of who builds. */
const recipesDate = 1_793_491_200;

/** The time, in seconds since 1970, that everything in an image is dated at: `SOURCE_DATE_EPOCH` when it is set. */
export function sourceDate(env: Readonly<Record<string, string | undefined>> = process.env): number {
  const given = env.SOURCE_DATE_EPOCH;
  if (given === undefined || given === "") return recipesDate;
  if (/^\d{1,11}$/.test(given)) return Number(given);
  throw new FireRunnerError("FR-CONFIG", `SOURCE_DATE_EPOCH: "${given}" is refused: must be seconds since 1970`);
}
