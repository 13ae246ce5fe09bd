import type { EffectState, HostObservation } from "../plan/snapshot.js";

const firstBackoffMs = 500;
const longestBackoffMs = 30_000;

/** When a forge was read for what. */
export interface ForgeReads {
  readAt?: number;
  polledAt?: number;
  sweptAt?: number;
}

/** What a leader knows but need not survive: observations, and the effects under way. A new leader begins without. */
export class SoftState {
  readonly hosts = new Map<string, HostObservation>();
  readonly effects = new Map<string, EffectState>();
  private readonly reads = new Map<string, ForgeReads>();
  private readonly attempts = new Map<string, number>();

  forgeReads(connection: string): Readonly<ForgeReads> {
    return this.reads.get(connection) ?? {};
  }

  noteForgeRead(connection: string, read: ForgeReads): void {
    this.reads.set(connection, { ...this.reads.get(connection), ...read });
  }

  /** A microVM that its host was asked for by id and does not have is not in the older list either. */
  noteAbsent(host: string, uid: string): void {
    const observation = this.hosts.get(host);
    if (observation === undefined) return;
    this.hosts.set(host, { ...observation, microvms: observation.microvms.filter((vm) => vm.uid !== uid) });
  }

  begin(key: string): void {
    this.effects.set(key, { state: "in-flight" });
  }

  succeed(key: string): void {
    this.effects.delete(key);
    this.attempts.delete(key);
  }

  /** The subject rests: twice as long after every try in vain, with full jitter (`random` in [0, 1)), at least `atLeastMs`. */
  fail(key: string, now: number, random: number, atLeastMs = 0): void {
    const attempt = this.attempts.get(key) ?? 0;
    this.attempts.set(key, attempt + 1);
    const jittered = Math.min(firstBackoffMs * 2 ** Math.min(attempt, 10), longestBackoffMs) * (0.5 + random / 2);
    this.effects.set(key, { state: "backing-off", until: now + Math.max(jittered, atLeastMs) });
  }

  /** Forgets rests that are over, so that the map holds only what matters. */
  prune(now: number): void {
    for (const [key, state] of this.effects) {
      if (state.state === "backing-off" && state.until + longestBackoffMs < now) {
        this.effects.delete(key);
        this.attempts.delete(key);
      }
    }
  }
}
