import { imagesRan, isFreshlyKnown } from "../model/host-images.js";
import { bootsOf, referencesOf } from "../model/image.js";
import { isLeaving, type Microvm } from "../model/microvm.js";
import type { Pool } from "../model/pool.js";
import type { Draft } from "./draft.js";

/** The guest of a microVM claimed: its host has what it boots. Written down when that is news, and then once an hour. */
export function noteImagesRan(draft: Draft, vm: Microvm): void {
  const view = draft.hosts.get(vm.host);
  if (vm.boots === undefined || view === undefined || view.standing === "forgotten") return;
  const known = draft.hostImages.get(vm.host);
  const references = referencesOf(vm.boots);
  if (isFreshlyKnown(known, view.spec, references, draft.now)) return;
  draft.putHostImages(imagesRan(known, view.spec, references, draft.now));
}

/** Forgets what ran on hosts that are no longer declared, were given up, or answer at another endpoint than they did then. */
export function forgetHostImages(draft: Draft): void {
  for (const { host, endpoint } of draft.hostImages.values()) {
    const view = draft.hosts.get(host);
    if (view === undefined || view.standing === "forgotten" || view.spec.endpoint !== endpoint) draft.dropHostImages(host);
  }
}

/** How many creates on one host take as long as pulling an image does, about. */
const pullWorth = 16;
/** How many hosts pull an image at once before others are rather left alone. */
const firstUsesAtOnce = 2;

const none: ReadonlySet<string> = new Set();

/**
 * What it costs a host to boot an image, compared with others that have room. A host is *warm* for an image when its kernel and
 * its root file system are known to have run there, and *cold* when not. A cold host *pulls* while a microVM that was placed there
 * for the first use of the image has neither claimed nor been given up.
 *
 * Hosts are compared by how many microVMs they have yet to create (in steps of four), and to that number is added:
 *
 * - 0 where the host is warm;
 * - 16 where it pulls already, where it is cold and fewer than two other hosts pull the image, and where it is warm but less than
 *   half of it is free while the pool spreads: its load is then worth another pull;
 * - 32 where it is cold and two others pull already: it begins when those have so much to create that waiting costs more.
 *
 * Only then do the pool's strategy and the name decide. So a new image begins on two hosts, goes on to others as these fill or
 * fall behind, and nothing is held back: whenever any host has room, one is taken.
 */
export class ImageSpread {
  /** What an image's microVMs boot now, by its name. */
  private readonly boots: ReadonlyMap<string, string>;
  /** By what is booted: the hosts that have it, looked up when it is asked for first. */
  private readonly warm = new Map<string, ReadonlySet<string>>();
  /** By what is booted: the cold hosts with a microVM on its way to its first claim. */
  private readonly pulls = new Map<string, Set<string>>();

  constructor(private readonly draft: Draft) {
    this.boots = new Map(draft.snapshot.images.map((image) => [image.name, bootsOf(image)]));
  }

  /** Takes a microVM that exists into account. */
  note(vm: Microvm): void {
    if (vm.firstUse === true && vm.boots !== undefined && vm.claimedAt === undefined && !isLeaving(vm)) this.addPull(vm.boots, vm.host);
  }

  /** One is placed now; tells whether its host is cold. */
  place(host: string, image: string): boolean {
    const boots = this.boots.get(image);
    if (boots === undefined || this.warmFor(boots).has(host)) return false;
    this.addPull(boots, host);
    return true;
  }

  /**
   * How many creates more a host counts as having to do when it gets the next one of the image, and whether less than half of
   * it is free (`isCrowded`). Holds until something is placed.
   */
  extraCreates(image: string, strategy: Pool["placement"]["strategy"]): (host: string, isCrowded: boolean) => number {
    const boots = this.boots.get(image);
    if (boots === undefined) return () => 0;
    const warm = this.warmFor(boots);
    const pulling = this.pulls.get(boots) ?? none;
    let pullingNow = 0;
    for (const host of pulling) if (!warm.has(host)) pullingNow += 1;
    const another = pullingNow < firstUsesAtOnce ? pullWorth : 2 * pullWorth;
    const crowded = strategy === "spread" ? pullWorth : 0;
    return (host, isCrowded) => {
      if (warm.has(host)) return isCrowded ? crowded : 0;
      return pulling.has(host) ? pullWorth : another;
    };
  }

  private warmFor(boots: string): ReadonlySet<string> {
    const known = this.warm.get(boots);
    if (known !== undefined) return known;
    const references = referencesOf(boots);
    const hosts = new Set<string>();
    for (const { host, images } of this.draft.hostImages.values()) {
      if (references.every((wanted) => images.some(({ reference }) => reference === wanted))) hosts.add(host);
    }
    this.warm.set(boots, hosts);
    return hosts;
  }

  private addPull(boots: string, host: string): void {
    const known = this.pulls.get(boots);
    if (known === undefined) this.pulls.set(boots, new Set([host]));
    else known.add(host);
  }
}
