import type { Host } from "../model/host.js";
import type { Pool, Size } from "../model/pool.js";
import { createFailing } from "../plan/backoff.js";
import type { Store } from "../store/port.js";
import { type HostStatus, hostStatuses } from "./host-status.js";
import type { LoopView } from "./loop-view.js";

interface HostsFrom {
  readonly store: Pick<Store, "get" | "list">;
  readonly loop: LoopView;
  readonly now: number;
}

/** Of each host, in a line: whether a microVM of a pool and size would go there, or what stands against it. */
export function explainHosts(from: HostsFrom, pool: Pool, size: Size): readonly string[] {
  const statuses = hostStatuses(from);
  if (statuses.length === 0) return ["no host is declared"];
  return statuses.map((status) => {
    const spec = from.store.get("host", status.name)?.value.spec;
    const against = spec === undefined ? "it is no longer declared" : whatStandsAgainst(from, status, spec, pool, size);
    return `host "${status.name}": ${against ?? `has room (${freeText(status)})`}`;
  });
}

function whatStandsAgainst({ store, now }: HostsFrom, status: HostStatus, spec: Host, pool: Pool, size: Size): string | undefined {
  const told = status.operations.at(-1);
  if (status.standing !== "open") return `it is ${status.standing}${told === undefined ? "" : `, by ${told.by}`}`;
  const lacking = Object.entries(pool.placement.selector).filter(([label, value]) => spec.labels[label] !== value);
  if (lacking.length > 0) return `it lacks the label ${lacking.map(([label, value]) => `${label}=${value}`).join(", ")}`;
  if (status.reachable !== "yes") return status.reachable === "no" ? `it does not answer: ${status.message}` : `unknown: ${status.message}`;
  const names = new Set([spec.name, `${spec.name}/${pool.image}`]);
  const failing = store
    .list("condition")
    .map(({ value }) => value)
    .find(({ type, subject, until }) => type === createFailing && names.has(subject.name) && until !== undefined && until > now);
  if (failing !== undefined) {
    const seconds = Math.ceil(((failing.until ?? now) - now) / 1000);
    return `it failed ${failing.count} times in a row (${failing.reason}: ${failing.message}); tried again in ${seconds} s`;
  }
  const { used, total } = status;
  const fits = used.vcpu + size.vcpu <= total.vcpu && used.memoryMb + size.memoryMb <= total.memoryMb && used.microvms < total.microvms;
  return fits ? undefined : `it has no room (${freeText(status)})`;
}

function freeText({ used, total }: HostStatus): string {
  const free = (of: "vcpu" | "memoryMb" | "microvms") => `${Math.max(total[of] - used[of], 0)} of ${total[of]}`;
  return `free: ${free("vcpu")} vCPU, ${free("memoryMb")} MiB, ${free("microvms")} microVMs`;
}
