import type { GuestPort } from "../guest/port.js";
import type { Clock, Random } from "../model/clock.js";
import type { Operation } from "../model/front-door.js";
import type { Kind, Records } from "../model/records.js";
import { heardByNow } from "../plan/clock-set-back.js";
import type { HostView, Schedules, Snapshot } from "../plan/snapshot.js";
import type { Store } from "../store/port.js";
import type { SoftState } from "./soft-state.js";

export interface ObserveFrom {
  readonly store: Store;
  readonly soft: SoftState;
  readonly guest: GuestPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly owner: string;
  readonly listeningSince: number;
  readonly schedules: Schedules;
}

/** Takes everything that a decision may depend on, in one synchronous moment. */
export function observe(from: ObserveFrom): Snapshot {
  const { store, soft, guest } = from;
  const now = from.clock.now();
  soft.prune(now);
  const microvms = values(store, "microvm");
  const hints = values(store, "hint");
  // Webhooks may arrive at another replica: their hints tell of it to whoever leads.
  for (const { connection, hookedAt } of hints) if (hookedAt !== undefined) soft.polls.noteHooked(connection, Math.min(hookedAt, now));
  const heardAt = new Map<string, number>();
  for (const vm of microvms) {
    const heard = vm.claimedAt === undefined ? undefined : guest.lastHeardAt(vm.name);
    // What was heard at a time that is yet to come was heard before the clock was set back.
    if (heard !== undefined && heard <= now) heardAt.set(vm.name, heard);
  }
  const operations = values(store, "operation").filter(({ until }) => until === undefined || until > now);
  return {
    now,
    seed: { name: base32Name(from.random.hex(10)), trace: from.random.hex(14) },
    owner: from.owner,
    listeningSince: from.listeningSince,
    schedules: from.schedules,
    hosts: values(store, "host").map(({ spec }) => ({
      spec,
      standing: standingOf(operations, spec.name),
      drainDeadlineAt: drainDeadlineOf(operations, spec.name),
      observation: soft.hosts.get(spec.name),
      failedRead: soft.failedReads.get(spec.name),
    })),
    images: values(store, "image").map(({ spec }) => spec),
    connections: values(store, "connection").map(({ spec }) => {
      const { readAt, polledAt, sweptAt, checked } = soft.forgeReads(spec.name);
      // Records are never changed in place: another specification is another object.
      const checkedAt = checked?.spec === spec ? checked.at : undefined;
      return {
        ...{ spec, readAt, polledAt, sweptAt, checkedAt, protectedRefs: soft.protectedRefsOf(spec.name) },
        projectsPolledAt: soft.polls.projectsPolledAt(spec.name),
        hookedAt: soft.polls.hookedAt(spec.name),
        newsByPollAt: soft.polls.newsByPollAt(spec.name),
      };
    }),
    pools: values(store, "pool")
      .toSorted((a, b) => a.order - b.order)
      .map(({ spec }) => {
        const told = operations.filter(({ subject }) => subject.kind === "pool" && subject.name === spec.name);
        return { spec, paused: told.length > 0, draining: told.some(({ operation }) => operation === "drain") };
      }),
    hints,
    jobs: values(store, "job"),
    microvms,
    identities: values(store, "identity"),
    presences: values(store, "presence"),
    guestReports: new Map(values(store, "guestReport").map((report) => [report.vm, heardByNow(report, now, from.listeningSince)])),
    conditions: values(store, "condition"),
    heardAt,
    effects: new Map(soft.effects),
    hostImages: values(store, "hostImages"),
    deadLetters: new Map(store.list("deadLetter").map(({ key, value }) => [key, value])),
  };
}

/** What operators did to a host counts by how far it goes, not by when it was done. */
export function standingOf(operations: readonly Operation[], host: string): HostView["standing"] {
  const told = new Set(operations.flatMap((one) => (isOf(one, host) ? [one.operation] : [])));
  if (told.has("forget")) return "forgotten";
  if (told.has("drain")) return "draining";
  return told.size > 0 ? "cordoned" : "open";
}

/** When a host's drain ends the jobs that it waits for: the first of the deadlines that were given. */
function drainDeadlineOf(operations: readonly Operation[], host: string): number | undefined {
  const deadlines = operations.flatMap((one) => (isOf(one, host) && one.operation === "drain" ? (one.deadlineAt ?? []) : []));
  return deadlines.length === 0 ? undefined : Math.min(...deadlines);
}

const isOf = ({ subject }: Operation, host: string): boolean => subject.kind === "host" && subject.name === host;

function values<K extends Kind>(store: Store, kind: K): Records[K][] {
  return store.list(kind).map((stored) => stored.value);
}

function base32Name(hex: string): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  return [...(hex.match(/../g) ?? [])].map((pair) => alphabet[Number.parseInt(pair, 16) % 32]).join("");
}
