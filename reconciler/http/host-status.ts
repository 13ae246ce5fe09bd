import { standingOf } from "../control/observe.js";
import type { Condition } from "../model/condition.js";
import type { Operation } from "../model/front-door.js";
import type { HostImages } from "../model/host-images.js";
import { more, noRoom, type Room, roomOf } from "../model/room.js";
import type { HostView } from "../plan/snapshot.js";
import type { Store } from "../store/port.js";
import type { LoopView } from "./loop-view.js";
import { operationsOf } from "./operations.js";
import { type Reachability, reachability } from "./signs-of-life.js";

/** A host as the service finds it: nothing of it is declared. What is not known is told as unknown. */
export interface HostStatus extends Reachability {
  readonly name: string;
  readonly standing: HostView["standing"];
  /** When its microVMs were read last. */
  readonly lastReadAt?: number;
  /** How many of our namespace it showed then. */
  readonly shownMicrovms?: number;
  /** What the records of the microVMs on it take. */
  readonly used: Room;
  /** What may be given out of it: with overcommit, more vCPUs than the machine has. */
  readonly total: Room;
  /** The images that microVMs are known to have booted there, what ran last first: they need not be pulled. */
  readonly images: HostImages["images"];
  readonly operations: readonly Operation[];
  readonly conditions: readonly Condition[];
}

interface HostStatusFrom {
  readonly store: Pick<Store, "get" | "list">;
  readonly loop: LoopView;
  readonly now: number;
}

/** The status of every host, or of those that are named, in the order of their names. */
export function hostStatuses({ store, loop, now }: HostStatusFrom, only?: string): readonly HostStatus[] {
  const seen = loop.look();
  const used = usedByHost(store);
  return store.list("host").flatMap(({ key: name, value: { spec } }): HostStatus[] => {
    if (only !== undefined && only !== name) return [];
    const told = operationsOf(store, "host", name, now);
    const observation = seen?.hosts.find((host) => host.spec.name === name)?.observation;
    return [
      {
        name,
        ...reachability(loop, seen, name),
        standing: standingOf(told, name),
        ...(observation === undefined ? {} : { lastReadAt: observation.at, shownMicrovms: observation.microvms.size }),
        used: used.get(name) ?? noRoom,
        total: roomOf(spec),
        images: store.get("hostImages", name)?.value.images ?? [],
        operations: told,
        conditions: store
          .list("condition")
          .map(({ value }) => value)
          .filter(({ subject }) => subject.kind === "host" && subject.name === name),
      },
    ];
  });
}

function usedByHost(store: Pick<Store, "list">): ReadonlyMap<string, Room> {
  const used = new Map<string, Room>();
  for (const { value: vm } of store.list("microvm")) {
    used.set(vm.host, more(used.get(vm.host) ?? noRoom, vm.size));
  }
  return used;
}
