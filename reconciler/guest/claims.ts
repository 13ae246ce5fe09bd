import type { Clock } from "../model/clock.js";
import type { GuestReport } from "../model/front-door.js";
import { isLeaving, type Microvm } from "../model/microvm.js";
import type { Store } from "../store/port.js";
import { type Order, orderFor } from "./order.js";
import { updateReport } from "./reports.js";
import { sameText } from "./signing.js";

/** A guest's claim of its microVM; `address` is where it came from. */
export interface Claim {
  readonly vm: string;
  readonly nonce: string;
  readonly bootId: string;
  readonly secretSha256: string;
  readonly address: string;
  /** How far its boot was when, in milliseconds since its kernel began. */
  readonly bootMs?: Readonly<Record<string, number>> | undefined;
  /** When its microVM's monitor began, by its host's clock. */
  readonly monitorBeganAt?: number | undefined;
}

/** Why a claim was refused: for the service's own log. A guest is told none of it. */
type ClaimRefusal = "wrong-nonce" | "unknown-microvm" | "not-awaited" | "wrong-address" | "FR-GUEST-RESTARTED" | "FR-GUEST-INCIDENT";

/** `first` tells the claim that bound the secret from those that only ask again. */
export type ClaimResult =
  | { readonly outcome: "accepted"; readonly order: Order; readonly first: boolean; readonly traceId: string }
  | { readonly outcome: "refused"; readonly reason: ClaimRefusal; readonly traceId: string | undefined };

export interface ClaimContext {
  readonly store: Pick<Store, "get" | "commit">;
  readonly clock: Pick<Clock, "now">;
  readonly nonceOf: (vm: string) => string;
}

/**
 * Binds a microVM to the first secret that claims it with the right nonce. The same secret gets the same answer again;
 * another boot, or another secret within one boot, is written down once as a fault and refused. A claim that is refused
 * for any other reason writes nothing.
 */
export async function claim(given: Claim, { store, clock, nonceOf }: ClaimContext): Promise<ClaimResult> {
  // Computed for names that do not exist too, so that the time of an answer does not tell them apart.
  const nonceIsRight = sameText(given.nonce, nonceOf(given.vm));
  let result: ClaimResult = { outcome: "refused", reason: "wrong-nonce", traceId: undefined };
  await updateReport(store, given.vm, (report) => {
    const vm = store.get("microvm", given.vm)?.value;
    const traceId = vm?.traceId;
    const refuse = (reason: ClaimRefusal): undefined => {
      result = { outcome: "refused", reason, traceId };
    };
    if (!nonceIsRight) return refuse("wrong-nonce");
    if (vm === undefined) return refuse("unknown-microvm");
    if (vm.phase === "allocated" || isLeaving(vm)) return refuse("not-awaited");
    if (!comesFromItsAddress(store, vm, given.address)) return refuse("wrong-address");
    if (report !== undefined && !isSameSession(report, given)) {
      const code = report.bootId === given.bootId ? "FR-GUEST-INCIDENT" : "FR-GUEST-RESTARTED";
      refuse(code);
      // A guest that said it is done may boot once more on its way off.
      if (report.fault !== undefined || report.done !== undefined) return undefined;
      return { ...report, fault: { at: clock.now(), code } };
    }
    const { bootId, secretSha256, bootMs, monitorBeganAt } = given;
    const boot = { ...(bootMs === undefined ? {} : { bootMs }), ...(monitorBeganAt === undefined ? {} : { monitorBeganAt }) };
    const bound = report ?? { vm: vm.name, bootId, secretSha256, claimedAt: clock.now(), ...boot };
    const order = orderFor(vm, bound, store.get("identity", vm.name)?.value);
    result = { outcome: "accepted", order, first: report === undefined, traceId: vm.traceId };
    return report === undefined ? bound : undefined;
  });
  return result;
}

function isSameSession(report: GuestReport, given: Claim): boolean {
  return report.bootId === given.bootId && sameText(report.secretSha256, given.secretSha256);
}

/** Where guests' own addresses are seen (no NAT) and were given by us, a claim comes from the right one or not at all. */
function comesFromItsAddress(store: Pick<Store, "get">, vm: Microvm, address: string): boolean {
  const network = store.get("host", vm.host)?.value.spec.network;
  if (network?.mode !== "static" || network.nat || vm.address === undefined) return true;
  return address.replace(/^::ffff:/i, "") === vm.address.replace(/\/.*$/, "");
}
