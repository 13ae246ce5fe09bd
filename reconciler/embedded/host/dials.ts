import type { Random } from "../../model/clock.js";

/** The faults that may also happen by chance. */
export type ChanceFault =
  | "unavailable"
  | "cutAnswers"
  | "hungAnswers"
  | "failedBuilds"
  | "failedLists"
  | "lostDeletes"
  | "lateDeletes"
  | "crashes";

/** The unary calls of a host. */
export type HostCall = "create" | "get" | "delete" | "list";

/** Faults that a test, or somebody who wants to see what happens, can dial in while a host runs. */
export interface HostDials {
  /** Every call waits this long before it is handled. */
  readonly latencyMs: number;
  /** Every call is answered UNAVAILABLE and changes nothing. */
  readonly unavailable: boolean;
  /** Every call arrives and is never answered; nothing is done. */
  readonly hang: boolean;
  /** So many calls, of one kind if `of` says so, are carried out, and then their answer is lost: the connection is cut, or the call never ends. */
  readonly lostAnswers: { readonly calls: number; readonly how: "cut" | "hang"; readonly of?: HostCall };
  /** So many builds fail: the microVM stays PENDING with a growing `retry`, without a reason. */
  readonly failedBuilds: number;
  /** So many Lists fail as they do while something is removed. */
  readonly failedLists: number;
  /** Every List fails as it does once a name with `/` in it was stored. */
  readonly wedged: boolean;
  /** A Delete that arrives while its microVM is built is accepted and then forgotten. */
  readonly loseDeletesWhileBuilding: boolean;
  /** So many Deletes are only carried out at the next resync. */
  readonly lateDeletes: number;
  /** So many VMs end as soon as they were spawned; the host says CREATED of them all the same. */
  readonly crashes: number;
  /** How long the one worker is busy with each image that the host has not had before. */
  readonly pullMs: number;
  /** How far the host's own clock is ahead; may be negative. */
  readonly clockOffsetMs: number;
  /** How likely a fault is, from 0 to 1, each time that it could happen: beside what is dialled in above. */
  readonly chances: Readonly<Partial<Record<ChanceFault, number>>>;
}

/** A host without faults. */
export const noFaults: HostDials = {
  latencyMs: 0,
  unavailable: false,
  hang: false,
  lostAnswers: { calls: 0, how: "cut" },
  failedBuilds: 0,
  failedLists: 0,
  wedged: false,
  loseDeletesWhileBuilding: false,
  lateDeletes: 0,
  crashes: 0,
  pullMs: 0,
  clockOffsetMs: 0,
  chances: {},
};

/** The dials as they stand. */
export class DialBoard {
  private dials = noFaults;

  constructor(private readonly random: Random) {}

  get now(): HostDials {
    return this.dials;
  }

  set(change: Partial<HostDials>): void {
    this.dials = { ...this.dials, ...change };
  }

  /** Uses up one of the faults that are dialled as a number, or else leaves it to chance. */
  take(fault: "failedBuilds" | "failedLists" | "lateDeletes" | "crashes"): boolean {
    if (this.dials[fault] === 0) return this.chance(fault);
    this.set({ [fault]: this.dials[fault] - 1 });
    return true;
  }

  isUnavailable(): boolean {
    return this.dials.unavailable || this.chance("unavailable");
  }

  losesDelete(): boolean {
    return this.dials.loseDeletesWhileBuilding || this.chance("lostDeletes");
  }

  takeLostAnswer(call: HostCall): "cut" | "hang" | undefined {
    const { calls, how, of = call } = this.dials.lostAnswers;
    if (calls > 0 && of === call) {
      this.set({ lostAnswers: { ...this.dials.lostAnswers, calls: calls - 1 } });
      return how;
    }
    if (this.chance("cutAnswers")) return "cut";
    return this.chance("hungAnswers") ? "hang" : undefined;
  }

  /** Without a chance nothing is drawn: what else is random stays as it was. */
  private chance(fault: ChanceFault): boolean {
    const probability = this.dials.chances[fault] ?? 0;
    return probability > 0 && this.random.next() < probability;
  }
}
