import { standingOf } from "../control/observe.js";
import type { Condition } from "../model/condition.js";
import type { Operation } from "../model/front-door.js";
import type { Host } from "../model/host.js";
import type { HostView } from "../plan/snapshot.js";
import type { Store } from "../store/port.js";
import type { LoopView } from "./loop-view.js";
import { operationsOf } from "./operations.js";
import { type Reachability, reachability } from "./signs-of-life.js";

interface Room {
  readonly vcpu: number;
  readonly memoryMb: number;
  readonly microvms: number;
}

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
        used: used.get(name) ?? nothing,
        total: roomOf(spec),
        operations: told,
        conditions: store
          .list("condition")
          .map(({ value }) => value)
          .filter(({ subject }) => subject.kind === "host" && subject.name === name),
      },
    ];
  });
}

const nothing: Room = { vcpu: 0, memoryMb: 0, microvms: 0 };

function roomOf({ capacity: { vcpu, memoryMb, microvms, vcpuOvercommit = 1 } }: Host): Room {
  return { vcpu: Math.floor(vcpu * vcpuOvercommit), memoryMb, microvms };
}

function usedByHost(store: Pick<Store, "list">): ReadonlyMap<string, Room> {
  const used = new Map<string, Room>();
  for (const { value: vm } of store.list("microvm")) {
    const { vcpu, memoryMb, microvms } = used.get(vm.host) ?? nothing;
    used.set(vm.host, { vcpu: vcpu + vm.size.vcpu, memoryMb: memoryMb + vm.size.memoryMb, microvms: microvms + 1 });
  }
  return used;
}
