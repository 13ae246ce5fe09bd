import type { Condition } from "../model/condition.js";
import type { Connection } from "../model/connection.js";
import type { DeadLetter } from "../model/dead-letter.js";
import type { GuestReport, Hint } from "../model/front-door.js";
import type { Host } from "../model/host.js";
import type { HostImages } from "../model/host-images.js";
import type { Identity } from "../model/identity.js";
import type { Image } from "../model/image.js";
import type { Job } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import type { Pool } from "../model/pool.js";
import type { Presence } from "../model/presence.js";
import type { ProtectedRefs } from "../model/protected-refs.js";

/** A microVM that a host showed, with the owner's mark when it carries a true one. */
export interface ObservedMicrovm {
  readonly uid: string;
  readonly name: string;
  readonly state: "pending" | "created" | "failed" | "deleting";
  readonly retry: number;
  /** When its first try was first seen to have failed, and the beginning of the last list in which it had not. */
  readonly failedBetween?: { readonly from?: number; readonly by: number } | undefined;
  /** What it was given for its network, where the host tells: the address in CIDR form, and the MAC. */
  readonly address?: string | undefined;
  readonly mac?: string | undefined;
  readonly mark: { readonly vm: string; readonly pool: string; readonly connection: string; readonly size?: string } | undefined;
}

/** The last complete answer of a host: asked at `startedAt`, received at `at`. */
export interface HostObservation {
  readonly startedAt: number;
  readonly at: number;
  /** By the id that the host gave. */
  readonly microvms: ReadonlyMap<string, ObservedMicrovm>;
}

export interface HostView {
  readonly spec: Host;
  /** What operators said of it: `cordoned` gets nothing new, `draining` also gives up what has no job, `forgotten` is gone for good. */
  readonly standing: "open" | "cordoned" | "draining" | "forgotten";
  /** With `draining`: when jobs that still run there end as well. */
  readonly drainDeadlineAt?: number | undefined;
  readonly observation: HostObservation | undefined;
  /** Why it could not be read when it was asked last; undefined when it answered, or was not asked yet. */
  readonly failedRead?: { readonly code: string; readonly message: string } | undefined;
}

/** When a project's protected branches and tags were asked for last, and what they are or why they may not be read. */
export type ProtectedRefsRead = { readonly at: number; readonly refs: ProtectedRefs } | { readonly at: number; readonly refused: string };

export interface ConnectionView {
  readonly spec: Connection;
  /** When anything was read from the forge last. */
  readonly readAt: number | undefined;
  /** When the last complete reading of its waiting and running jobs began. */
  readonly polledAt: number | undefined;
  /** When the last reading of each single project began, where one was read by itself. */
  readonly projectsPolledAt: ReadonlyMap<number, number>;
  /** When a webhook told of something last, and when a poll was the first to tell of what a webhook should have told before. */
  readonly hookedAt: number | undefined;
  readonly newsByPollAt: number | undefined;
  /** When its runners were searched for leftovers last. */
  readonly sweptAt: number | undefined;
  /** When it was checked last, as it is declared now, what its credential may do and how its webhook stands. */
  readonly checkedAt: number | undefined;
  /** What was read of its projects' protected refs, where that mattered. */
  readonly protectedRefs?: ReadonlyMap<number, ProtectedRefsRead>;
}

export interface PoolView {
  readonly spec: Pool;
  /** Nothing new is made for it. */
  readonly paused: boolean;
  /** It also gives up what idles, at once. */
  readonly draining?: boolean;
}

/** An effect that was begun, or that waits for its next try. */
export type EffectState = { readonly state: "in-flight" } | { readonly state: "backing-off"; readonly until: number };

export interface Schedules {
  readonly pollMs: number;
  /** How often while webhooks tell of everything. */
  readonly pollHealthyMs: number;
  readonly listHostsMs: number;
  readonly sweepMs: number;
  readonly settleMs: number;
}

/** Everything that a decision may depend on, taken in one moment. Nothing else is looked at. */
export interface Snapshot {
  readonly now: number;
  /** Randomness of this pass: 10 characters a-z2-7 for names, 28 hex digits for trace ids. */
  readonly seed: { readonly name: string; readonly trace: string };
  readonly owner: string;
  /** Since when this leader hears guests: their silence before counts for nothing. */
  readonly listeningSince: number;
  readonly schedules: Schedules;
  readonly hosts: readonly HostView[];
  readonly images: readonly Image[];
  readonly connections: readonly ConnectionView[];
  /** In the order of their declaration. */
  readonly pools: readonly PoolView[];
  readonly hints: readonly Hint[];
  readonly jobs: readonly Job[];
  readonly microvms: readonly Microvm[];
  readonly identities: readonly Identity[];
  readonly presences: readonly Presence[];
  readonly guestReports: ReadonlyMap<string, GuestReport>;
  readonly conditions: readonly Condition[];
  /** What failed beyond its budget, by key. */
  readonly deadLetters: ReadonlyMap<string, DeadLetter>;
  /** When the guests of microVMs were heard last, where they were. */
  readonly heardAt: ReadonlyMap<string, number>;
  readonly effects: ReadonlyMap<string, EffectState>;
  /** Which images hosts have run, where any is known. */
  readonly hostImages: readonly HostImages[];
}
