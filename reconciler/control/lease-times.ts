/** How long the right to lead lasts, and what follows from it; all in ms. */
export interface LeaseTimes {
  /** So long after it was taken or renewed it ends, and another may take it. */
  readonly ttlMs: number;
  /** So often it is renewed: a few times before it would end. */
  readonly renewMs: number;
  /** So often a process that stands by asks for it. */
  readonly standByMs: number;
  /** No call to a host or forge begins when it ends within so long. */
  readonly marginMs: number;
}

/** Of a store that this process has for itself: nobody waits to take over, and calls end well before anybody could. */
export const ownStoreLease: LeaseTimes = { ttlMs: 30_000, renewMs: 10_000, standByMs: 10_000, marginMs: 15_000 };

/**
 * Of a store that replicas share: another one leads within `ttlMs` and `standByMs` of the leader's death. A call that was begun
 * before may still arrive after that; what makes it harmless is told in docs/reliability.md.
 */
export const sharedStoreLease: LeaseTimes = { ttlMs: 3_000, renewMs: 700, standByMs: 250, marginMs: 800 };
