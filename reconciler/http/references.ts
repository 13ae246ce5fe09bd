import type { DeclaredKind } from "../model/declared.js";
import type { Store } from "../store/port.js";

const shownVms = 5;

/** What still needs a declared record, in words for people; empty when it may go. */
export function whatNeeds(store: Pick<Store, "list">, kind: DeclaredKind, name: string): readonly string[] {
  const pools = store.list("pool").filter(({ value }) => (kind === "image" || kind === "connection") && value.spec[kind] === name);
  const vms = store.list("microvm").filter(({ value }) => value[kind] === name);
  const withVm = new Set(vms.map(({ key }) => key));
  // A runner that outlived its microVM must still be removed from the forge.
  const presences = kind === "connection" ? store.list("presence").filter(({ value }) => value.connection === name) : [];
  const runners =
    kind === "connection" ? store.list("identity").filter(({ value, key }) => value.connection === name && !withVm.has(key)) : [];
  return [
    ...pools.map(({ key }) => `pool "${key}"`),
    ...shorten(vms.map(({ key }) => `microVM "${key}"`)),
    ...shorten(presences.map(({ value }) => `the presence runner of pool "${value.pool}", size "${value.size}"`)),
    ...shorten(runners.map(({ key }) => `the runner of microVM "${key}"`)),
  ];
}

function shorten(list: readonly string[]): readonly string[] {
  return list.length <= shownVms ? list : [...list.slice(0, shownVms), `${list.length - shownVms} more`];
}
