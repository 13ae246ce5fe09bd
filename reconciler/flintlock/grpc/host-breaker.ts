import type { Clock, Random } from "../../model/clock.js";

/** So many calls in a row without any answer, and the host is left alone for a while. */
const opensAfter = 5;
const firstPauseMs = 1_000;
/** Short beside what a person notices: a host that is back is found within this. */
const longestPauseMs = 15_000;
/** How many repetitions a host may cost at once, and how many answers earn one back. */
const fullBudget = 10;
const answersPerRepetition = 10;

/** Why a call is not sent. */
export interface Withheld {
  /** When the first of the calls in vain was made. */
  readonly since: number;
  readonly calls: number;
  /** What the last of them ended with. */
  readonly why: string;
  /** When one will be sent again. */
  readonly retryAfterMs: number;
}

/** `probe` is the one call that may find out whether the host is back; it must be followed by `heard`, `unheard` or `unknown`. */
export type Admission = { readonly kind: "send" | "probe" } | { readonly kind: "withhold"; readonly withheld: Withheld };

/**
 * Spares callers the wait for a host that does not answer, and a host that comes back the crowd: after some calls in vain
 * all further ones are withheld for a while, then a single one is let through, whichever comes first, and its end decides
 * for all. Only silence counts: a host that answers with an error is there.
 *
 * The time is the service's own clock, so that a simulated world can move it; ready-made breakers read the machine's.
 */
export class HostBreaker {
  private silence: { readonly since: number; calls: number; why: string } | undefined;
  /** Set while calls are withheld. */
  private open: { readonly until: number; readonly pauses: number; readonly probing: boolean } | undefined;
  private repetitions = fullBudget;

  constructor(
    private readonly clock: Pick<Clock, "now">,
    private readonly random: Random,
  ) {}

  admit(): Admission {
    const { open, silence } = this;
    if (open === undefined || silence === undefined) return { kind: "send" };
    const leftMs = open.until - this.clock.now();
    // A clock that was set back must not keep the host waiting.
    if (!open.probing && (leftMs <= 0 || leftMs > longestPauseMs)) {
      this.open = { ...open, probing: true };
      return { kind: "probe" };
    }
    return { kind: "withhold", withheld: { ...silence, retryAfterMs: Math.max(leftMs, 0) } };
  }

  /** The host said something, be it an error. */
  heard(): void {
    this.silence = undefined;
    this.open = undefined;
    this.repetitions = Math.min(fullBudget, this.repetitions + 1 / answersPerRepetition);
  }

  /** A call ended without a word of the host. */
  unheard(why: string, wasProbe: boolean): void {
    this.silence ??= { since: this.clock.now(), calls: 0, why };
    this.silence.calls += 1;
    this.silence.why = why;
    // Calls that were under way when it opened say nothing new.
    if (this.open !== undefined ? !wasProbe : this.silence.calls < opensAfter) return;
    const pauses = (this.open?.pauses ?? 0) + 1;
    const pauseMs = Math.min(firstPauseMs * 2 ** Math.min(pauses - 1, 10), longestPauseMs);
    this.open = { until: this.clock.now() + pauseMs * (0.5 + this.random.next() / 2), pauses, probing: false };
  }

  /** The probe was ended from here before it could tell: the next call is the probe. */
  unknown(): void {
    if (this.open?.probing === true) this.open = { ...this.open, probing: false };
  }

  /** Whether a call may be repeated: a host in trouble is not asked ever more for it. */
  mayRepeat(): boolean {
    if (this.open !== undefined || this.repetitions < 1) return false;
    this.repetitions -= 1;
    return true;
  }
}
