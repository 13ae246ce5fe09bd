import type { Host } from "../model/host.js";
import { formatIpv4, parseIpv4, parseSubnet } from "../model/ipv4.js";
import type { WaitingReason } from "../model/job.js";
import { macOf } from "../model/mark.js";
import type { Microvm } from "../model/microvm.js";
import type { Pool, Size } from "../model/pool.js";
import { hostHeldBack } from "./backoff.js";
import type { Draft } from "./draft.js";

/** What a new microVM gets of a host. */
export interface Place {
  readonly host: string;
  readonly mac: string;
  readonly address?: string;
}

interface Ledger {
  readonly host: Host;
  vcpu: number;
  memoryMb: number;
  microvms: number;
  readonly addresses: Set<number>;
  readonly macs: Set<string>;
  /** The address given out last, and when: the search goes on behind it, so that a released one is taken again late. */
  cursor: number;
  cursorAt: number;
}

/** The free room of every usable host, derived from the records of the microVMs on it. */
export class Placement {
  private readonly ledgers: readonly Ledger[];
  private readonly known: boolean;

  constructor(draft: Draft) {
    const usable = draft.snapshot.hosts.filter((view) => view.observation !== undefined && isFresh(draft, view.observation.at));
    this.known = usable.length > 0;
    const byName = new Map<string, Ledger>();
    for (const view of usable) {
      if (view.cordoned || hostHeldBack(draft, view.spec.name) !== undefined) continue;
      const { vcpu, memoryMb, microvms } = view.spec.capacity;
      byName.set(view.spec.name, {
        host: view.spec,
        vcpu,
        memoryMb,
        microvms,
        addresses: new Set(),
        macs: new Set(),
        cursor: 0,
        cursorAt: -1,
      });
    }
    for (const vm of draft.microvms.values()) {
      const ledger = byName.get(vm.host);
      if (ledger !== undefined) occupy(ledger, vm);
    }
    this.ledgers = [...byName.values()];
  }

  /** Takes room for one microVM of a size, or says why there is none. */
  take(pool: Pool, size: Size): Place | WaitingReason {
    if (!this.known) return { code: "FR-HOSTS-UNKNOWN", message: "no host could be read yet" };
    const fitting = this.ledgers.filter((ledger) => selected(ledger.host, pool) && fits(ledger, size));
    if (fitting.length === 0) {
      return { code: "FR-NO-CAPACITY", message: `no host has room for ${size.vcpu} vCPU and ${size.memoryMb} MiB` };
    }
    const ordered = fitting.toSorted(
      (a, b) => (pool.placement.strategy === "spread" ? rank(b) - rank(a) : rank(a) - rank(b)) || compare(a.host.name, b.host.name),
    );
    for (const ledger of ordered) {
      const place = assignAddress(ledger);
      if (place === undefined) continue;
      ledger.vcpu -= size.vcpu;
      ledger.memoryMb -= size.memoryMb;
      ledger.microvms -= 1;
      return place;
    }
    return { code: "FR-NO-ADDRESS", message: "no host with room has a free address" };
  }
}

/** A host that was not read for this long is unknown: nothing new is placed on it. */
export function freshMs(draft: Draft): number {
  return Math.max(30_000, 3 * draft.snapshot.schedules.listHostsMs);
}

function isFresh(draft: Draft, at: number): boolean {
  return draft.now - at <= freshMs(draft);
}

function occupy(ledger: Ledger, vm: Microvm): void {
  ledger.vcpu -= vm.size.vcpu;
  ledger.memoryMb -= vm.size.memoryMb;
  ledger.microvms -= 1;
  ledger.macs.add(vm.mac);
  const address = vm.address === undefined ? undefined : parseIpv4(vm.address.split("/")[0] ?? "");
  if (address === undefined) return;
  ledger.addresses.add(address);
  if (vm.allocatedAt < ledger.cursorAt || (vm.allocatedAt === ledger.cursorAt && address < ledger.cursor)) return;
  ledger.cursor = address;
  ledger.cursorAt = vm.allocatedAt;
}

function selected(host: Host, pool: Pool): boolean {
  return Object.entries(pool.placement.selector).every(([label, value]) => host.labels[label] === value);
}

function fits(ledger: Ledger, size: Size): boolean {
  return ledger.vcpu >= size.vcpu && ledger.memoryMb >= size.memoryMb && ledger.microvms >= 1;
}

/** How free a host is: the scarcer of its vCPUs and memory, as a share of what it has. */
function rank(ledger: Ledger): number {
  const { capacity } = ledger.host;
  return Math.min(ledger.vcpu / capacity.vcpu, ledger.memoryMb / capacity.memoryMb, ledger.microvms / capacity.microvms);
}

function assignAddress(ledger: Ledger): Place | undefined {
  const { network, name } = ledger.host;
  if (network.mode === "dhcp") {
    let n = 1;
    while (ledger.macs.has(macOf(name, n))) n += 1;
    ledger.macs.add(macOf(name, n));
    return { host: name, mac: macOf(name, n) };
  }
  const subnet = parseSubnet(network.subnet);
  const gateway = parseIpv4(network.gateway);
  if (subnet === undefined) return undefined;
  const guests = subnet.count - 2;
  const begin = Math.max(ledger.cursor - subnet.first, 0);
  for (let step = 0; step < guests; step++) {
    const offset = ((begin + step) % guests) + 1;
    const address = subnet.first + offset;
    if (address === gateway || ledger.addresses.has(address)) continue;
    ledger.addresses.add(address);
    ledger.cursor = address;
    return { host: name, mac: macOf(name, offset), address: `${formatIpv4(address)}/${subnet.prefix}` };
  }
  return undefined;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
