import type { Clock } from "../model/clock.js";
import { hintKey } from "../model/front-door.js";
import { isFinished } from "../model/job.js";
import { type Effect, effectKey } from "../plan/effect.js";
import { letterKey } from "../plan/letter.js";
import type { Store } from "../store/port.js";
import type { Effects } from "./effects.js";
import type { SoftState } from "./soft-state.js";

/**
 * Has the job that a hint names read as soon as the hint is given: for that nothing need be weighed, and a pass would only come
 * later. It takes no more than are read side by side. Whatever is beyond that, has failed before, or is read with its whole
 * project is left to the next pass, which looks at all hints together.
 */
export class HintReader {
  constructor(
    private readonly store: Pick<Store, "get">,
    private readonly soft: SoftState,
    private readonly clock: Pick<Clock, "now">,
    private readonly effects: Pick<Effects, "begin" | "isFree">,
  ) {}

  /** Follows the hint under this key, unless that is for a pass to decide; tells whether it does. */
  follow(key: string): boolean {
    const hint = this.store.get("hint", key)?.value;
    if (hint?.jobId === undefined) return false;
    const { connection, projectId, jobId, hookedAt } = hint;
    const effect: Effect = { kind: "readJob", connection, projectId, jobId };
    if (!this.effects.isFree(effect) || this.isForPass(effect)) return false;
    // When a pass comes, the hint may be gone.
    if (hookedAt !== undefined) this.soft.polls.noteHooked(connection, Math.min(hookedAt, this.clock.now()));
    this.effects.begin(effect);
    return true;
  }

  private isForPass(effect: Extract<Effect, { kind: "readJob" }>): boolean {
    const { connection, projectId } = effect;
    const job = this.store.get("job", hintKey(effect))?.value;
    if (this.store.get("connection", connection) === undefined || (job !== undefined && isFinished(job.status))) return true;
    return (
      this.soft.effects.has(effectKey({ kind: "poll", connection, projectId })) ||
      this.store.get("deadLetter", letterKey(effect)) !== undefined
    );
  }
}
