/** Faults that a test, or somebody who wants to see what happens, can dial in while a host runs. */
export interface HostDials {
  /** Every call waits this long before it is handled. */
  readonly latencyMs: number;
  /** Every call is answered UNAVAILABLE and changes nothing. */
  readonly unavailable: boolean;
  /** So many calls are carried out, and then their answer is lost: the call ends as a cut connection does, or never. */
  readonly lostAnswers: { readonly calls: number; readonly how: "cut" | "hang" };
  /** So many builds fail: the microVM stays PENDING with a growing `retry`, without a reason. */
  readonly failedBuilds: number;
  /** So many Lists fail as they do while something is removed. */
  readonly failedLists: number;
  /** A Delete that arrives while its microVM is built is accepted and then forgotten. */
  readonly loseDeletesWhileBuilding: boolean;
  /** So many Deletes are only carried out at the next resync. */
  readonly lateDeletes: number;
}

/** A host without faults. */
const noFaults: HostDials = {
  latencyMs: 0,
  unavailable: false,
  lostAnswers: { calls: 0, how: "cut" },
  failedBuilds: 0,
  failedLists: 0,
  loseDeletesWhileBuilding: false,
  lateDeletes: 0,
};

/** The dials as they stand. */
export class DialBoard {
  private dials = noFaults;

  get now(): HostDials {
    return this.dials;
  }

  set(change: Partial<HostDials>): void {
    this.dials = { ...this.dials, ...change };
  }

  /** Uses up one of the faults that are dialled as a number; false when none is left. */
  take(fault: "failedBuilds" | "failedLists" | "lateDeletes"): boolean {
    if (this.dials[fault] === 0) return false;
    this.set({ [fault]: this.dials[fault] - 1 });
    return true;
  }

  takeLostAnswer(): "cut" | "hang" | undefined {
    const { calls, how } = this.dials.lostAnswers;
    if (calls === 0) return undefined;
    this.set({ lostAnswers: { calls: calls - 1, how } });
    return how;
  }
}
