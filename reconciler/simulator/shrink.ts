import { only, partsOf, type Script } from "./script.js";

/** What is left of a script that still breaks something, and how often it was played for that. */
export interface Shrunk {
  readonly script: Script;
  readonly plays: number;
}

/**
 * Leaves out of a script what need not be in it for something to break: larger portions first, then single faults and steps, until
 * nothing more can go or it was played `mostPlays` times.
 */
export async function shrink(script: Script, breaks: (script: Script) => Promise<boolean>, mostPlays: number): Promise<Shrunk> {
  let kept = partsOf(script);
  let plays = 0;
  for (let portion = Math.ceil(kept.length / 2); portion >= 1; portion = portion === 1 ? 0 : Math.ceil(portion / 2)) {
    let at = 0;
    while (at < kept.length && plays < mostPlays) {
      const fewer = kept.toSpliced(at, portion);
      plays += 1;
      if (await breaks(only(script, new Set(fewer)))) kept = fewer;
      else at += portion;
    }
  }
  return { script: only(script, new Set(kept)), plays };
}
