import type { Connection } from "../model/connection.js";
import type { EffectState, HostObservation, ObservedMicrovm, ProtectedRefsRead } from "../plan/snapshot.js";
import { PollMemory } from "./poll-memory.js";

const firstBackoffMs = 500;
const longestBackoffMs = 30_000;
/** No list takes longer than this from question to answer. */
const longestListMs = 300_000;

/** Lists of protected refs that nobody asked for again for so long are of no use any more. */
const protectedRefsMs = 3_600_000;

/** When a forge was read for what. */
export interface ForgeReads {
  readonly readAt?: number;
  readonly polledAt?: number;
  readonly sweptAt?: number;
  /** When the credential and the webhook were checked, and what was declared then. */
  readonly checked?: { readonly at: number; readonly spec: Connection };
}

/** What a leader knows but need not survive: observations, and the effects under way. A new leader begins without. */
export class SoftState {
  readonly hosts = new Map<string, HostObservation>();
  /** Hosts that could not be read when they were asked last, and why. */
  readonly failedReads = new Map<string, { readonly code: string; readonly message: string }>();
  readonly effects = new Map<string, EffectState>();
  readonly polls = new PollMemory();
  private readonly protectedRefs = new Map<string, Map<number, ProtectedRefsRead>>();
  private readonly absentAt = new Map<string, number>();
  private readonly reads = new Map<string, ForgeReads>();
  private readonly attempts = new Map<string, number>();

  forgeReads(connection: string): ForgeReads {
    return this.reads.get(connection) ?? {};
  }

  noteForgeRead(connection: string, read: ForgeReads): void {
    this.reads.set(connection, { ...this.reads.get(connection), ...read });
  }

  /** What is known of the protected refs of a connection's projects. */
  protectedRefsOf(connection: string): ReadonlyMap<number, ProtectedRefsRead> {
    return this.protectedRefs.get(connection) ?? new Map();
  }

  noteProtectedRefs(connection: string, projectId: number, read: ProtectedRefsRead): void {
    this.protectedRefs.set(connection, new Map(this.protectedRefsOf(connection)).set(projectId, read));
  }

  /** The connection's jobs are to be read as if they never were. */
  forgetPoll(connection: string): void {
    const { polledAt: _polledAt, ...rest } = this.forgeReads(connection);
    this.reads.set(connection, rest);
  }

  /** Every host is to be listed, and every connection's jobs and runners are to be read, as if it were time for it. */
  makeDue(now: number, listHostsMs: number): void {
    for (const [host, seen] of this.hosts) this.hosts.set(host, { ...seen, at: Math.min(seen.at, now - listHostsMs) });
    for (const [connection, { polledAt: _polledAt, sweptAt: _sweptAt, ...rest }] of this.reads) this.reads.set(connection, rest);
  }

  /**
   * The clock was set back to `now`. What was seen at times that are yet to come is forgotten: it would pass for newer
   * than what is done from here on.
   */
  setBack(now: number): void {
    this.hosts.clear();
    this.reads.clear();
    this.polls.setBack();
    this.protectedRefs.clear();
    for (const [key, state] of this.effects) {
      if (state.state === "backing-off") this.effects.set(key, { ...state, until: Math.min(state.until, now + longestBackoffMs) });
    }
  }

  /**
   * What a host showed; what was found absent after it was asked is left out. Of a list during which the clock was set
   * back it is not known what it is newer than: it counts for nothing.
   */
  noteHost(host: string, startedAt: number, at: number, shown: readonly ObservedMicrovm[]): void {
    this.failedReads.delete(host);
    if (startedAt > at) return;
    const present = shown.filter(({ uid }) => (this.absentAt.get(`${host}/${uid}`) ?? -1) < startedAt);
    const before = this.hosts.get(host);
    const microvms = new Map(present.map((vm) => [vm.uid, withFailure(vm, at, before)]));
    this.hosts.set(host, { startedAt, at, microvms });
  }

  /** A microVM that its host was asked for by id and does not have is neither in an older list, nor in one that is under way. */
  noteAbsent(host: string, uid: string, at: number): void {
    this.absentAt.set(`${host}/${uid}`, at);
    const observation = this.hosts.get(host);
    if (observation?.microvms.has(uid) !== true) return;
    const microvms = new Map(observation.microvms);
    microvms.delete(uid);
    this.hosts.set(host, { ...observation, microvms });
  }

  begin(key: string): void {
    this.effects.set(key, { state: "in-flight" });
  }

  succeed(key: string): void {
    this.effects.delete(key);
    this.attempts.delete(key);
  }

  /** The subject rests: twice as long after every try in vain, with jitter (`random` in [0, 1)), at least `atLeastMs`. */
  fail(key: string, now: number, random: number, atLeastMs = 0): void {
    const attempt = this.attempts.get(key) ?? 0;
    this.attempts.set(key, attempt + 1);
    const jittered = Math.min(firstBackoffMs * 2 ** Math.min(attempt, 10), longestBackoffMs) * (0.5 + random / 2);
    this.effects.set(key, { state: "backing-off", until: now + Math.ceil(Math.max(jittered, atLeastMs)) });
  }

  /** Forgets rests and absences that are over, so that the maps hold only what matters. */
  prune(now: number): void {
    this.polls.prune(now);
    for (const [key, state] of this.effects) {
      if (state.state === "backing-off" && state.until + longestBackoffMs < now) this.succeed(key);
    }
    for (const [key, at] of this.absentAt) {
      // They are in the order in which they were noted.
      if (at + longestListMs >= now) break;
      this.absentAt.delete(key);
    }
    for (const [connection, known] of this.protectedRefs) {
      const kept = [...known].filter(([, { at }]) => at + protectedRefsMs >= now);
      if (kept.length < known.size) this.protectedRefs.set(connection, new Map(kept));
    }
  }
}

/** Hosts do not say why they try again. How soon they had to is all that can be known. */
function withFailure(vm: ObservedMicrovm, at: number, before: HostObservation | undefined): ObservedMicrovm {
  if (vm.retry === 0) return vm;
  const known = before?.microvms.get(vm.uid);
  const failedBetween =
    known?.failedBetween ?? (before !== undefined && known?.retry === 0 ? { from: before.startedAt, by: at } : { by: at });
  return { ...vm, failedBetween };
}
