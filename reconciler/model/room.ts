import type { Host } from "./host.js";
import type { Size } from "./pool.js";

/** How much a host has, or microVMs take: vCPUs, MiB of memory, and how many microVMs. */
export interface Room {
  readonly vcpu: number;
  readonly memoryMb: number;
  readonly microvms: number;
}

export const noRoom: Room = { vcpu: 0, memoryMb: 0, microvms: 0 };

/** What a host has for microVMs when it is empty: with overcommit, more vCPUs than the machine has. */
export function roomOf({ capacity: { vcpu, memoryMb, microvms, vcpuOvercommit = 1 } }: Host): Room {
  return { vcpu: Math.floor(vcpu * vcpuOvercommit), memoryMb, microvms };
}

/** The room and one microVM of a size more. */
export function more(room: Room, size: Size): Room {
  return { vcpu: room.vcpu + size.vcpu, memoryMb: room.memoryMb + size.memoryMb, microvms: room.microvms + 1 };
}
