import { type Condition, conditionKey } from "../model/condition.js";
import type { DeadLetter } from "../model/dead-letter.js";
import type { NewEvent } from "../model/event.js";
import { hintKey } from "../model/front-door.js";
import type { HostImages } from "../model/host-images.js";
import type { Identity } from "../model/identity.js";
import { type Job, jobKey } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import type { Presence } from "../model/presence.js";
import { type Effect, effectKey } from "./effect.js";
import { isParked, letterKey } from "./letter.js";
import type { ConnectionView, HostView, PoolView, Snapshot } from "./snapshot.js";

/** The kinds that plans write and delete. */
type Kept = "job" | "microvm" | "identity" | "presence" | "condition" | "hostImages";

/** Records to write, or with `null` to delete. */
export type Decision =
  | { readonly kind: "job"; readonly key: string; readonly value: Job | null }
  | { readonly kind: "microvm"; readonly key: string; readonly value: Microvm | null }
  | { readonly kind: "identity"; readonly key: string; readonly value: Identity | null }
  | { readonly kind: "presence"; readonly key: string; readonly value: Presence | null }
  | { readonly kind: "condition"; readonly key: string; readonly value: Condition | null }
  | { readonly kind: "hostImages"; readonly key: string; readonly value: HostImages | null }
  | { readonly kind: "hint" | "guestReport" | "deadLetter"; readonly key: string; readonly value: null };

/** What is to be done: first the decisions and events in one commit, then the effects. */
export interface Plan {
  readonly decisions: readonly Decision[];
  readonly events: readonly NewEvent[];
  readonly effects: readonly Effect[];
  /** The earliest time at which the same records would be decided otherwise; `now` when there is more to decide at once. */
  readonly wakeAt: number | undefined;
}

/** The working copy that the steps of one plan share. It begins as the snapshot and remembers what was changed. */
export class Draft {
  readonly snapshot: Snapshot;
  readonly now: number;
  readonly jobs: Map<string, Job>;
  readonly microvms: Map<string, Microvm>;
  readonly identities: Map<string, Identity>;
  readonly presences: Map<string, Presence>;
  readonly conditions: Map<string, Condition>;
  readonly deadLetters: Map<string, DeadLetter>;
  readonly hostImages: Map<string, HostImages>;
  readonly pools: ReadonlyMap<string, PoolView>;
  readonly hosts: ReadonlyMap<string, HostView>;
  readonly connections: ReadonlyMap<string, ConnectionView>;
  /** Connections whose jobs must be read before something else can be decided. */
  readonly toPoll = new Set<string>();
  private readonly decisions = new Map<string, Decision>();
  /** Records that did not exist before this plan. */
  private readonly fresh = new Set<string>();
  private readonly events: NewEvent[] = [];
  private readonly effects = new Map<string, Effect>();
  private hints: Set<string> | undefined;
  private wake: number | undefined;
  private names = 0;

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot;
    this.now = snapshot.now;
    this.jobs = byKey(snapshot.jobs, (job) => remembered(job, jobKey));
    this.microvms = byKey(snapshot.microvms, (vm) => vm.name);
    this.identities = byKey(snapshot.identities, (identity) => identity.vm);
    this.presences = byKey(snapshot.presences, (presence) => presence.name);
    this.conditions = byKey(snapshot.conditions, (condition) => remembered(condition, conditionKey));
    this.deadLetters = new Map(snapshot.deadLetters);
    this.hostImages = byKey(snapshot.hostImages, ({ host }) => host);
    this.pools = byKey(snapshot.pools, (pool) => pool.spec.name);
    this.hosts = byKey(snapshot.hosts, (host) => host.spec.name);
    this.connections = byKey(snapshot.connections, (connection) => connection.spec.name);
  }

  putJob(job: Job): void {
    this.put("job", jobKey(job), job, this.jobs);
  }

  putMicrovm(vm: Microvm): Microvm {
    this.put("microvm", vm.name, vm, this.microvms);
    return vm;
  }

  putIdentity(identity: Identity): void {
    this.put("identity", identity.vm, identity, this.identities);
  }

  putPresence(presence: Presence): Presence {
    this.put("presence", presence.name, presence, this.presences);
    return presence;
  }

  putCondition(condition: Condition): void {
    this.put("condition", conditionKey(condition), condition, this.conditions);
  }

  putHostImages(images: HostImages): void {
    this.put("hostImages", images.host, images, this.hostImages);
  }

  dropJob(key: string): void {
    this.drop("job", key, this.jobs);
  }

  dropMicrovm(name: string): void {
    this.drop("microvm", name, this.microvms);
  }

  dropGuestReport(name: string): void {
    this.decisions.set(`guestReport:${name}`, { kind: "guestReport", key: name, value: null });
  }

  /** What was decided holds only while the guest has said nothing: the commit is refused when its report came meanwhile. */
  demandSilence(name: string): void {
    if (!this.snapshot.guestReports.has(name)) this.dropGuestReport(name);
  }

  dropIdentity(vm: string): void {
    this.drop("identity", vm, this.identities);
  }

  dropPresence(name: string): void {
    this.drop("presence", name, this.presences);
  }

  dropCondition(key: string): void {
    this.drop("condition", key, this.conditions);
  }

  dropHostImages(host: string): void {
    this.drop("hostImages", host, this.hostImages);
  }

  dropHint(hint: Snapshot["hints"][number]): void {
    const key = hintKey(hint);
    this.decisions.set(`hint:${key}`, { kind: "hint", key, value: null });
  }

  /** Whether a hint waits that this plan has not dropped. */
  hasHint(key: string): boolean {
    this.hints ??= new Set(this.snapshot.hints.map(hintKey));
    return this.hints.has(key) && !this.decisions.has(`hint:${key}`);
  }

  dropDeadLetter(key: string): void {
    this.deadLetters.delete(key);
    this.decisions.set(`deadLetter:${key}`, { kind: "deadLetter", key, value: null });
  }

  event(type: string, subject: NewEvent["subject"], message: string, traceId?: string): void {
    this.events.push({ at: this.now, type, subject, message, ...(traceId === undefined ? {} : { traceId }) });
  }

  /** A number that no other call in this plan got. */
  nextName(): number {
    return this.names++;
  }

  get namesTaken(): number {
    return this.names;
  }

  /** The trace of what was begun for no job; `n` tells it from the others of this plan. */
  traceId(n: number): string {
    return this.snapshot.seed.trace + (n % 65_536).toString(16).padStart(4, "0");
  }

  /** Whether an effect on this subject may begin now; when it waits for its next try, the plan wakes for it. */
  isFree(key: string): boolean {
    if (this.effects.has(key)) return false;
    const state = this.snapshot.effects.get(key);
    if (state === undefined) return true;
    if (state.state === "in-flight") return false;
    return this.reached(state.until);
  }

  /** Whether something on this subject is under way. */
  isInFlight(key: string): boolean {
    return this.effects.has(key) || this.snapshot.effects.get(key)?.state === "in-flight";
  }

  /** Begins an effect unless its subject is taken, it is a dead letter, or its host or connection is not declared; tells whether it did. */
  begin(effect: Effect): boolean {
    const key = effectKey(effect);
    if (!("host" in effect ? this.hosts.has(effect.host) : this.connections.has(effect.connection))) return false;
    if (!this.isFree(key) || this.isSetAside(effect)) return false;
    this.effects.set(key, effect);
    return true;
  }

  /** Whether it failed beyond its budget, and is not to be tried now. */
  private isSetAside(effect: Effect): boolean {
    if (this.deadLetters.size === 0) return false;
    const letter = this.deadLetters.get(letterKey(effect));
    return letter !== undefined && isParked(letter, this);
  }

  /** Whether a deadline has come; while it has not, the plan wakes for it. */
  reached(at: number): boolean {
    if (at <= this.now) return true;
    if (this.wake === undefined || at < this.wake) this.wake = at;
    return false;
  }

  /** There is more to decide as soon as this much is written down. */
  again(): void {
    this.wake = this.now;
  }

  finish(): Plan {
    return { decisions: [...this.decisions.values()], events: this.events, effects: [...this.effects.values()], wakeAt: this.wake };
  }

  private put<K extends Kept, V>(kind: K, key: string, value: V, into: Map<string, V>): void {
    if (!into.has(key)) this.fresh.add(`${kind}:${key}`);
    into.set(key, value);
    this.decisions.set(`${kind}:${key}`, { kind, key, value } as unknown as Decision);
  }

  private drop(kind: Kept, key: string, from: Map<string, unknown>): void {
    from.delete(key);
    if (this.fresh.has(`${kind}:${key}`)) this.decisions.delete(`${kind}:${key}`);
    else this.decisions.set(`${kind}:${key}`, { kind, key, value: null });
  }
}

function byKey<V>(values: readonly V[], keyOf: (value: V) => string): Map<string, V> {
  const map = new Map<string, V>();
  for (const value of values) map.set(keyOf(value), value);
  return map;
}

/** Keys of records, which never change: to put them together anew in every pass takes longer than most of what is decided. */
const keys = new WeakMap<object, string>();

function remembered<V extends object>(record: V, keyOf: (record: V) => string): string {
  const known = keys.get(record);
  if (known !== undefined) return known;
  const key = keyOf(record);
  keys.set(record, key);
  return key;
}
