import { SeededRandom } from "./seeded-random.js";

/** A simulated world in which nothing fails; the names are those of the faults, each with how likely it is each time that it could happen. */
export const calm = {
  /** A host answers a call with an error and does nothing. */
  hostFails: 0,
  /** A host refuses a Create for good. */
  hostRefuses: 0,
  /** A List fails as it does while something is removed. */
  listFails: 0,
  /** A build ends as FAILED. */
  createFails: 0,
  /** The host's one worker is busy for half a minute with an image before it builds. */
  pullSlow: 0,
  createAnswerLost: 0,
  deleteAnswerLost: 0,
  /** A Delete that arrives during a build is accepted and forgotten. */
  deleteLost: 0,
  deleteLate: 0,
  /** A call to a host takes seconds: others overtake it. */
  hostSlow: 0,
  hookLost: 0,
  hookDoubled: 0,
  /** A webhook arrives up to half a minute late, and so after later ones. */
  hookLate: 0,
  forgeFails: 0,
  forgeLimits: 0,
  forgeSlow: 0,
  postAnswerLost: 0,
  /** The answer to a call that is no POST is lost: a pause or a deletion took place, and nobody is told. */
  forgeAnswerLost: 0,
  /** The microVM's process ends as soon as it was spawned, or its guest does not boot; the host says CREATED. */
  guestNeverBoots: 0,
  guestDies: 0,
  guestRestarts: 0,
  /** A call of a guest, or its answer, gets lost on its way. */
  guestCallLost: 0,
  /** Somebody else claims a microVM with its nonce and a secret of his own. */
  nonceStolen: 0,
  runnerGivesUp: 0,
  jobCancelled: 0,
  /** A job takes its runner's token and asks for another job with it: it may get one where the pause comes late. */
  tokenStolen: 0,
  /** A commit is refused, and nothing of it is kept. */
  storeFails: 0,
  /** A commit is kept, and whoever made it is told that it is not known. */
  storeAnswerLost: 0,
  storeSlow: 0,
  /** A process dies at one of its calls: before it was made, or after it had its effect and before its answer came. */
  killedAtCall: 0,
};

export type Dials = { -readonly [K in keyof typeof calm]: number };
export type Fault = keyof Dials;
export const faults = Object.keys(calm) as Fault[];

/** Faults that end processes happen at every call: they are rarer. */
const rare: ReadonlySet<Fault> = new Set<Fault>(["killedAtCall"]);
/** Whether these succeed is a matter of who is faster; that they do not when nothing fails is tested on their own. */
const never: ReadonlySet<Fault> = new Set<Fault>(["tokenStolen"]);

/** Some of the faults, each at its own strength. */
export function someFaults(random: SeededRandom): Dials {
  const dials: Dials = { ...calm };
  for (const name of faults) {
    const [isOn, strength] = [random.chance(0.35), random.pick([0.02, 0.1, 0.3])];
    if (isOn && !never.has(name)) dials[name] = rare.has(name) ? strength / 50 : strength;
  }
  if (random.chance(0.1)) dials.hookLost = 1;
  return dials;
}

/** Decides when a fault happens. Each has randomness of its own: to leave one out changes no other. */
export class FaultBoard {
  private readonly randoms = new Map<Fault, SeededRandom>();
  /** How often each has happened. */
  readonly struck = new Map<Fault, number>();

  constructor(
    private readonly seed: number,
    /** May be changed at any time. */
    readonly dials: Dials,
  ) {}

  strikes(fault: Fault): boolean {
    const probability = this.dials[fault];
    if (probability === 0) return false;
    const random = this.randoms.get(fault) ?? SeededRandom.named(this.seed, fault);
    this.randoms.set(fault, random);
    if (!random.chance(probability)) return false;
    this.struck.set(fault, (this.struck.get(fault) ?? 0) + 1);
    return true;
  }

  /** No fault happens from here on. */
  calmDown(): void {
    Object.assign(this.dials, calm);
  }
}
