import { type Condition, conditionKey } from "../model/condition.js";
import type { Host } from "../model/host.js";
import { formatIpv4, parseIpv4, parseRange, parseSubnet, type Subnet } from "../model/ipv4.js";
import { macOf } from "../model/mark.js";
import type { Microvm } from "../model/microvm.js";
import type { Draft } from "./draft.js";
import type { ObservedMicrovm } from "./snapshot.js";

/** What a new microVM gets of a host. */
export interface Place {
  readonly host: string;
  readonly mac: string;
  readonly address?: string;
  /** The host is not known to have run the images. */
  readonly firstUse?: true;
}

/** How long an address rests: the host forgets a microVM a moment before its network device is gone. */
const restMs = 60_000;
/** Rests end together, so that they wake the loop seldom. */
const restsEndEveryMs = 10_000;

/** The condition of an address (kind `address`, named `HOST/IP`) that was released a moment ago. */
const resting = "Resting";

const restSubject = (host: string, ip: string) => ({ subject: { kind: "address", name: `${host}/${ip}` }, type: resting });

/** Lets the address of a microVM that is gone rest: it is given again within a minute only when its host has no other. */
export function restAddress(draft: Draft, vm: Microvm): void {
  if (vm.address === undefined || vm.createSentAt === undefined || !draft.hosts.has(vm.host)) return;
  const until = Math.ceil((draft.now + restMs) / restsEndEveryMs) * restsEndEveryMs;
  const message = `microVM "${vm.name}" had it`;
  draft.putCondition({
    ...restSubject(vm.host, ipOf(vm)),
    status: true,
    reason: "Released",
    message,
    observedAt: draft.now,
    count: 0,
    until,
  });
}

/** Forgets rests that are over. */
export function endRests(draft: Draft): void {
  for (const [key, { type, until }] of draft.conditions) {
    if (type === resting && (until === undefined || draft.reached(until))) draft.dropCondition(key);
  }
}

/** The addresses that one host has to give. They are derived from records, and from what else its list shows. */
export class Addresses {
  /** Addresses in CIDR form and MACs that are in use. */
  private readonly taken = new Set<string>();
  private readonly subnet: Subnet | undefined;
  /** The search goes on behind what was given last, so that a released address is taken again late. */
  private cursor = 0;

  constructor(
    private readonly draft: Draft,
    private readonly host: Host,
    microvms: readonly Microvm[],
  ) {
    this.subnet = host.network.mode === "static" ? parseSubnet(host.network.subnet) : undefined;
    const suffix = this.subnet === undefined ? "" : `/${this.subnet.prefix}`;
    let latest: Microvm | undefined;
    for (const vm of microvms) {
      this.take(vm, suffix);
      if (latest === undefined || vm.allocatedAt >= latest.allocatedAt) latest = vm;
    }
    // What is not ours to remove, or not yet, keeps what it has.
    for (const shown of draft.hosts.get(host.name)?.observation?.microvms.values() ?? []) this.take(shown, suffix);
    if (latest !== undefined && host.network.mode === "static") this.cursor = parseIpv4(ipOf(latest)) ?? 0;
  }

  /** Gives an address and a MAC, or a MAC alone where the network gives addresses itself; undefined when none is free. */
  assign(): Place | undefined {
    const { name, network } = this.host;
    if (network.mode === "static") return this.assignStatic(network);
    do this.cursor += 1;
    while (this.taken.has(macOf(name, this.cursor)));
    return { host: name, mac: macOf(name, this.cursor) };
  }

  /** The texts of records are taken as they are, where they can be: others would be made, and hashed, in every pass. */
  private take({ address = "", mac }: Pick<ObservedMicrovm, "address" | "mac">, suffix: string): void {
    if (mac !== undefined) this.taken.add(mac);
    this.taken.add(address.endsWith(suffix) ? address : ipOf({ address }) + suffix);
  }

  private assignStatic(network: Extract<Host["network"], { readonly mode: "static" }>): Place | undefined {
    const { subnet } = this;
    if (subnet === undefined) return undefined;
    const gateway = parseIpv4(network.gateway);
    const excluded = network.exclude.flatMap((text) => parseRange(text) ?? []);
    const guests = subnet.count - 2;
    const begin = Math.max(this.cursor - subnet.first, 0);
    let rested: { readonly offset: number; readonly until: number } | undefined;
    for (let step = 0; step < guests; step++) {
      const offset = ((begin + step) % guests) + 1;
      const address = subnet.first + offset;
      if (address === gateway || excluded.some(({ first, last }) => address >= first && address <= last)) continue;
      if (this.taken.has(cidrOf(subnet, offset)) || this.taken.has(macOf(this.host.name, offset))) continue;
      const until = this.restsUntil(address);
      if (until === undefined) return this.give(subnet, offset);
      if (rested === undefined || until < rested.until) rested = { offset, until };
    }
    return rested === undefined ? undefined : this.give(subnet, rested.offset);
  }

  private restsUntil(address: number): number | undefined {
    const rest = this.draft.conditions.get(conditionKey(restSubject(this.host.name, formatIpv4(address))));
    return rest?.until !== undefined && rest.until > this.draft.now ? rest.until : undefined;
  }

  private give(subnet: Subnet, offset: number): Place {
    const address = cidrOf(subnet, offset);
    this.taken.add(address);
    this.cursor = subnet.first + offset;
    return { host: this.host.name, mac: macOf(this.host.name, offset), address };
  }
}

const cidrOf = ({ first, prefix }: Subnet, offset: number): string => `${formatIpv4(first + offset)}/${prefix}`;

/** The condition of a host on which two microVMs have one address or MAC. */
export const addressConflict = "AddressConflict";

/** Tells of addresses that two microVMs of a host have. Ours differ from each other: one of the two is somebody else's. */
export function reportConflicts(draft: Draft): void {
  for (const { spec, observation } of draft.snapshot.hosts) {
    const conflicts = new Set<string>();
    const owners = new Map<string, string>();
    const shown = [...(observation?.microvms.values() ?? [])];
    if (shown.some((vm) => !draft.microvms.has(vm.name))) {
      for (const vm of shown) {
        for (const what of [ipOf(vm), vm.mac ?? ""]) {
          const other = what === "" ? undefined : owners.get(what);
          if (other !== undefined && other !== vm.name) conflicts.add(`${what} of "${[other, vm.name].toSorted().join('" and "')}"`);
          owners.set(what, vm.name);
        }
      }
    }
    tellConflicts(draft, spec.name, [...conflicts].toSorted());
  }
}

function tellConflicts(draft: Draft, host: string, conflicts: readonly string[]): void {
  const subject = { subject: { kind: "host", name: host }, type: addressConflict };
  const known: Condition | undefined = draft.conditions.get(conditionKey(subject));
  if (conflicts.length === 0) {
    if (known !== undefined) draft.dropCondition(conditionKey(subject));
    return;
  }
  const message = `more than one microVM has the same: ${conflicts.slice(0, 5).join(", ")}`;
  if (known?.message === message && known.count === conflicts.length) return;
  draft.putCondition({ ...subject, status: true, reason: "TakenTwice", message, observedAt: draft.now, count: conflicts.length });
}

const ipOf = ({ address = "" }: { readonly address?: string | undefined }): string => address.slice(0, address.indexOf("/"));
