import type { Clock } from "../model/clock.js";
import type { Effect } from "../plan/effect.js";

const mostEntries = 20_000;

type Entry = { readonly at: number } & ({ readonly what: string } | { readonly effect: Effect; readonly outcome: "ok" | "failed" });

/** What happened in a simulated world; written out only when somebody reads it. What is beyond 20,000 entries is not kept. */
export class Diary {
  private readonly entries: Entry[] = [];
  private readonly beganAt: number;

  constructor(private readonly clock: Pick<Clock, "now">) {
    this.beganAt = clock.now();
  }

  note(what: string): void {
    this.add({ at: this.sinceBegin(), what });
  }

  noteEffect(effect: Effect, outcome: "ok" | "failed"): void {
    this.add({ at: this.sinceBegin(), effect, outcome });
  }

  /** One line each, begun with the milliseconds since the beginning. */
  lines(): readonly string[] {
    return this.entries.map((entry) =>
      "what" in entry ? `${entry.at} ${entry.what}` : `${entry.at} ${entry.effect.kind} ${JSON.stringify(entry.effect)} ${entry.outcome}`,
    );
  }

  sinceBegin(): number {
    return this.clock.now() - this.beganAt;
  }

  private add(entry: Entry): void {
    if (this.entries.length < mostEntries) this.entries.push(entry);
  }
}
