import { FireRunnerError } from "../model/errors.js";
import { type Effect, effectKey, effectLane } from "../plan/effect.js";
import { execute } from "./execute.js";
import type { ExecutionContext } from "./execution.js";
import type { Lanes } from "./lanes.js";
import type { LetterBox } from "./letter-box.js";

/** What the effects of one term are carried out with. */
export interface EffectsParts extends ExecutionContext {
  readonly letters: LetterBox;
  readonly lanes: Lanes;
  /** Whether the term lasts. */
  readonly isCurrent: () => boolean;
  /** Called when an effect has ended, however it did. */
  readonly ended: () => void;
}

/** Carries out the effects of one term, each in the lane of its host or forge, and notes how they ended. */
export class Effects {
  constructor(private readonly parts: EffectsParts) {}

  /** Has it carried out when its turn comes; one that is under way is not begun again. */
  begin(effect: Effect): void {
    const { lanes, soft } = this.parts;
    const key = effectKey(effect);
    // Since it was decided upon, the job of a hint may be read already.
    if (soft.effects.get(key)?.state === "in-flight") return;
    soft.begin(key);
    // A queue that is full is woken for when one of its tasks has ended.
    if (!lanes.offer(effectLane(effect), () => this.carryOut(effect, key))) soft.succeed(key);
  }

  /** Whether an effect would be carried out at once: it waits for no other, and its subject is taken by none. */
  isFree(effect: Effect): boolean {
    return !this.parts.soft.effects.has(effectKey(effect)) && this.parts.lanes.hasRoom(effectLane(effect));
  }

  private async carryOut(effect: Effect, key: string): Promise<void> {
    const { ports, soft, letters, isCurrent, ended } = this.parts;
    const { clock, observer, random } = ports;
    if (!isCurrent()) return;
    const beganAt = clock.now();
    try {
      const execution = await execute(effect, this.parts);
      await letters.succeeded(effect, clock.now());
      if (execution === "done") soft.succeed(key);
      else soft.fail(key, clock.now(), random.next());
      observer.effect(effect, "ok", clock.now() - beganAt);
    } catch (caught) {
      const error = FireRunnerError.from(caught, "FR-INTERNAL", `effect ${key}`);
      await this.noteFailure(effect, error);
      soft.fail(key, clock.now(), random.next(), error.retryAfterMs);
      observer.effect(effect, "failed", clock.now() - beganAt, error);
    }
    ended();
  }

  /** A letter that could not be written is written with the next failure. */
  private async noteFailure(effect: Effect, error: FireRunnerError): Promise<void> {
    const { letters, ports } = this.parts;
    try {
      await letters.failed(effect, error, ports.clock.now());
    } catch (caught) {
      ports.observer.fault(FireRunnerError.from(caught, "FR-STORE", `writing the dead letter of ${effectKey(effect)}`));
    }
  }
}
