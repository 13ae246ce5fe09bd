import type { WorldRandom } from "./world-clock.fixture.js";

/** How likely each fault is, each time that it could happen; all are 0 once the world calms down. */
export interface Dials {
  hostFails: number;
  hostRefuses: number;
  createFails: number;
  createAnswerLost: number;
  deleteAnswerLost: number;
  deleteLost: number;
  deleteLate: number;
  hookLost: number;
  hookDoubled: number;
  forgeFails: number;
  forgeLimits: number;
  postAnswerLost: number;
  guestNeverBoots: number;
  guestDies: number;
  guestRestarts: number;
  runnerGivesUp: number;
  jobCancelled: number;
  /** A job takes its runner's token and asks for another one with it: it may get one where the pause comes late. */
  tokenStolen: number;
}

export const calm: Readonly<Dials> = {
  hostFails: 0,
  hostRefuses: 0,
  createFails: 0,
  createAnswerLost: 0,
  deleteAnswerLost: 0,
  deleteLost: 0,
  deleteLate: 0,
  hookLost: 0,
  hookDoubled: 0,
  forgeFails: 0,
  forgeLimits: 0,
  postAnswerLost: 0,
  guestNeverBoots: 0,
  guestDies: 0,
  guestRestarts: 0,
  runnerGivesUp: 0,
  jobCancelled: 0,
  tokenStolen: 0,
};

/** Some of the faults, each at its own strength. */
export function someFaults(random: WorldRandom): Dials {
  const dials = { ...calm };
  for (const name of Object.keys(dials) as (keyof Dials)[]) {
    if (random.chance(0.4)) dials[name] = random.pick([0.02, 0.1, 0.3]);
  }
  if (random.chance(0.1)) dials.hookLost = 1;
  // Whether it succeeds is a matter of who is faster; that it does not when nothing fails is tested on its own.
  dials.tokenStolen = 0;
  return dials;
}
