import { play } from "./play.js";
import { only, partsOf, type Script, scriptOf } from "./script.js";
import { shrink } from "./shrink.js";

/** How often a script that breaks something is played again to make it smaller. */
const mostPlays = 250;
/** How many of the last lines before something broke are told. */
const lastSteps = 30;

/** What a world of one seed did. */
export interface Played {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly jobs: number;
  /** MicroVMs that were made and are gone. */
  readonly lifecycles: number;
  readonly passes: number;
  /** How often each fault happened. */
  readonly struck: Readonly<Record<string, number>>;
}

/** A seed that broke something, with what is needed for that alone. */
export interface Finding {
  readonly seed: number;
  /** What the smallest script breaks. */
  readonly violations: readonly string[];
  /** The faults and steps that it takes, of so many. */
  readonly parts: readonly string[];
  readonly of: number;
  /** What happened last before it. */
  readonly trace: readonly string[];
}

/** Plays one seed, with so many jobs or as few as the seed wants, and with some of its faults and steps alone if they are named. */
export async function playSeed(
  seed: number,
  jobs?: number,
  parts?: ReadonlySet<string>,
): Promise<{ played: Played; log: readonly string[] }> {
  const script = scriptOf(seed, jobs);
  const world = await play(parts === undefined ? script : only(script, parts));
  const { violations, forge, hosts, passes, faults } = world;
  const struck = Object.fromEntries(faults.struck);
  return { played: { seed, violations, jobs: forge.jobs.size, lifecycles: hosts.lifecycles, passes, struck }, log: world.log };
}

/** Finds the smallest part of a seed's script that breaks something. */
export async function examine(seed: number, jobs?: number): Promise<Finding> {
  const whole = scriptOf(seed, jobs);
  const breaks = async (script: Script) => (await play(script)).violations.length > 0;
  const { script } = await shrink(whole, breaks, mostPlays);
  const { violations, log } = await play(script);
  return { seed, violations, parts: partsOf(script), of: partsOf(whole).length, trace: log.slice(-lastSteps) };
}
