import type { Host } from "../model/host.js";
import type { WaitingReason } from "../model/job.js";
import { isLeaving, type Microvm } from "../model/microvm.js";
import type { Pool, Size } from "../model/pool.js";
import { more, type Room, roomOf } from "../model/room.js";
import { Addresses, type Place } from "./addresses.js";
import { createFailing, hostHeldBack, imageHeldBack, onTrialSince } from "./backoff.js";
import type { Draft } from "./draft.js";
import { ImageSpread } from "./image-spread.js";
import { sizeWithoutRecord } from "./orphans.js";
import type { HostView } from "./snapshot.js";

/** One usable host in one plan: its free room, and the addresses that are given out (computed when one is needed). */
interface Ledger {
  readonly host: Host;
  readonly microvms: Microvm[];
  /** Those on their way to their claim. */
  readonly unclaimed: Pick<Microvm, "image" | "allocatedAt">[];
  /** How many its host has yet to create: it does that one after the other. */
  queue: number;
  readonly room: FreeRoom;
  addresses: Addresses | undefined;
}

/** Room that becomes less as it is given out. */
type FreeRoom = { -readonly [Part in keyof Room]: Room[Part] };

/** A host as it is compared with others for one image. */
interface Ranked {
  readonly ledger: Ledger;
  /** How free it is: the scarcest of what it has, as a share. */
  readonly free: number;
  /** How much it has to do first, in steps of `createBudget`. */
  readonly step: number;
}

/** How many a host is given to create while another one has fewer: each takes it a second or two. */
const createBudget = 4;

/** The free room of every usable host, derived from the records of the microVMs on it. */
export class Placement {
  private readonly ledgers = new Map<string, Ledger>();
  /** The hosts that a pool may use. */
  private readonly selections = new Map<string, readonly Ledger[]>();
  private readonly images: ImageSpread;
  /** Whether microVMs fail on any host. */
  private readonly isFailing: boolean;
  /** Why there is no usable host at all. */
  private readonly obstacle: WaitingReason | undefined;

  constructor(private readonly draft: Draft) {
    this.images = new ImageSpread(draft);
    this.isFailing = [...draft.conditions.values()].some(({ type }) => type === createFailing);
    const reasons: WaitingReason[] = [];
    for (const view of draft.snapshot.hosts) {
      const { spec } = view;
      const reason = whyClosed(draft, view);
      if (reason === undefined)
        this.ledgers.set(spec.name, { host: spec, microvms: [], unclaimed: [], queue: 0, room: { ...roomOf(spec) }, addresses: undefined });
      else reasons.push(reason);
    }
    if (this.ledgers.size === 0) this.obstacle = reasons[0] ?? { code: "FR-HOSTS-UNKNOWN", message: "no host is declared" };
    for (const vm of draft.microvms.values()) {
      this.images.note(vm);
      const ledger = this.ledgers.get(vm.host);
      if (ledger === undefined) continue;
      ledger.microvms.push(vm);
      if (vm.claimedAt === undefined && !isLeaving(vm)) ledger.unclaimed.push(vm);
      if (vm.phase === "allocated" || vm.phase === "creating") ledger.queue += 1;
      takeFrom(ledger.room, vm.size);
      // What was adopted without its addresses may have any of them: the host gets nothing new before it is gone.
      if (vm.mac === "") ledger.room.microvms = Number.NEGATIVE_INFINITY;
    }
    for (const { spec, observation } of draft.snapshot.hosts) {
      const ledger = this.ledgers.get(spec.name);
      for (const shown of observation?.microvms.values() ?? []) {
        if (ledger !== undefined && !draft.microvms.has(shown.mark?.vm ?? shown.name))
          takeFrom(ledger.room, sizeWithoutRecord(draft, shown));
      }
    }
  }

  /** Takes room for one microVM of a size, or says why there is none. */
  take(pool: Pool, size: Size): Place | WaitingReason {
    if (this.obstacle !== undefined) return this.obstacle;
    const full = new Set<Ledger>();
    for (;;) {
      const ledger = this.best(pool, size, full);
      if (ledger === undefined) break;
      const place = this.assignAddress(ledger);
      if (place !== undefined) {
        takeFrom(ledger.room, size);
        ledger.queue += 1;
        ledger.unclaimed.push({ image: pool.image, allocatedAt: this.draft.now });
        return this.images.place(place.host, pool.image) ? { ...place, firstUse: true } : place;
      }
      full.add(ledger);
    }
    const held = this.selectedBy(pool).find((ledger) => fits(ledger.room, size) && this.whyHeld(ledger, pool.image) !== undefined);
    const reason = held === undefined ? undefined : this.whyHeld(held, pool.image);
    if (reason !== undefined) return reason;
    if (full.size > 0) return { code: "FR-NO-ADDRESS", message: "no host with room has a free address" };
    return { code: "FR-NO-CAPACITY", message: `no host has room for ${size.vcpu} vCPU and ${size.memoryMb} MiB` };
  }

  /**
   * Which of the idle microVMs must go so that a size fits somewhere once those that leave anyway are gone: none when
   * these are enough, undefined when all of them are not.
   */
  makeRoom(pool: Pool, size: Size, leaving: ReadonlySet<string>, idle: ReadonlySet<string>): readonly Microvm[] | undefined {
    let fewest: readonly Microvm[] | undefined;
    for (const ledger of this.selectedBy(pool)) {
      if (this.whyHeld(ledger, pool.image) !== undefined) continue;
      let room: Room = ledger.room;
      for (const vm of ledger.microvms) if (leaving.has(vm.name)) room = more(room, vm.size);
      const going: Microvm[] = [];
      for (const vm of ledger.microvms) {
        if (fits(room, size)) break;
        if (!idle.has(vm.name)) continue;
        room = more(room, vm.size);
        going.push(vm);
      }
      if (fits(room, size) && (fewest === undefined || going.length < fewest.length)) fewest = going;
    }
    return fewest;
  }

  private assignAddress(ledger: Ledger): Place | undefined {
    ledger.addresses ??= new Addresses(this.draft, ledger.host, ledger.microvms);
    return ledger.addresses.assign();
  }

  private selectedBy(pool: Pool): readonly Ledger[] {
    const known = this.selections.get(pool.name);
    if (known !== undefined) return known;
    const labels = Object.entries(pool.placement.selector);
    const chosen = [...this.ledgers.values()].filter(({ host }) => labels.every(([label, value]) => host.labels[label] === value));
    this.selections.set(pool.name, chosen);
    return chosen;
  }

  /** Why a host gets none of an image at the moment: they fail there, or the one that is tried has not claimed yet. */
  private whyHeld({ host: { name }, unclaimed }: Ledger, image: string): WaitingReason | undefined {
    if (!this.isFailing) return undefined;
    const held = imageHeldBack(this.draft, name, image);
    if (held !== undefined) {
      const message = `host "${name}" failed ${held.count} times in a row with image "${image}" (${held.reason}: ${held.message})`;
      return { code: "FR-NO-CAPACITY", message };
    }
    const since = onTrialSince(this.draft, name, image);
    if (since === undefined || !unclaimed.some((vm) => vm.image === image && vm.allocatedAt >= since)) return undefined;
    return { code: "FR-NO-CAPACITY", message: `host "${name}" failed before, and is tried with one microVM of image "${image}" first` };
  }

  private best(pool: Pool, size: Size, full: ReadonlySet<Ledger>): Ledger | undefined {
    const { image } = pool;
    const { strategy } = pool.placement;
    const extraCreates = this.images.extraCreates(image, strategy);
    let best: Ranked | undefined;
    for (const ledger of this.selectedBy(pool)) {
      if (!fits(ledger.room, size) || full.has(ledger) || this.whyHeld(ledger, image) !== undefined) continue;
      const free = freeShare(ledger);
      const step = Math.floor((ledger.queue + extraCreates(ledger.host.name, free < 0.5)) / createBudget);
      const ranked = { ledger, free, step };
      if (best === undefined || isBetter(ranked, best, strategy)) best = ranked;
    }
    return best?.ledger;
  }
}

/** A host that was not read for this long is unknown: nothing new is placed on it. */
export function freshMs(draft: Draft): number {
  return Math.max(30_000, 3 * draft.snapshot.schedules.listHostsMs);
}

/** Whether nothing new may be placed on a host, and why. */
export function whyClosed(draft: Draft, { spec, standing, observation }: HostView): WaitingReason | undefined {
  if (standing !== "open") return { code: "FR-NO-CAPACITY", message: "every host is cordoned, failing or unknown" };
  if (observation === undefined || draft.reached(observation.at + freshMs(draft)))
    return { code: "FR-HOSTS-UNKNOWN", message: "no usable host could be read" };
  const held = hostHeldBack(draft, spec.name);
  if (held === undefined) return undefined;
  return { code: "FR-NO-CAPACITY", message: `host "${spec.name}" failed ${held.count} times in a row (${held.reason}: ${held.message})` };
}

function takeFrom(room: FreeRoom, size: Size): void {
  room.vcpu -= size.vcpu;
  room.memoryMb -= size.memoryMb;
  room.microvms -= 1;
}

function fits(room: Room, size: Size): boolean {
  return room.vcpu >= size.vcpu && room.memoryMb >= size.memoryMb && room.microvms >= 1;
}

/** A host with less to do first comes first, in steps (`ImageSpread` says what an image adds); of equal ones the strategy decides, and then the name. */
function isBetter(one: Ranked, other: Ranked, strategy: Pool["placement"]["strategy"]): boolean {
  if (one.step !== other.step) return one.step < other.step;
  if (one.free !== other.free) return strategy === "spread" ? one.free > other.free : one.free < other.free;
  return one.ledger.host.name < other.ledger.host.name;
}

/** How free a host is: the scarcest of what it has, as a share. */
function freeShare({ host, room }: Ledger): number {
  const all = roomOf(host);
  return Math.min(room.vcpu / all.vcpu, room.memoryMb / all.memoryMb, room.microvms / all.microvms);
}
