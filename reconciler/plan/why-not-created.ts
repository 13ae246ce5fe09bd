import type { Microvm } from "../model/microvm.js";
import type { ObservedMicrovm } from "./snapshot.js";

/** An image that cannot be had makes a try fail within a tenth of a second, a bridge that is missing after almost two. */
const atOnceMs = 1_000;

/** Why a host probably does not get a microVM created. It never says; what can be known is how soon it failed first. */
export function whyNotCreated(vm: Microvm, { retry, failedBetween }: ObservedMicrovm): string {
  const tried = `host "${vm.host}" tried ${retry} times in vain`;
  const sentAt = vm.createdAt ?? vm.createSentAt;
  if (failedBetween === undefined || sentAt === undefined) return `${tried}; it does not say why, its log does`;
  const { from, by } = failedBetween;
  if (by - sentAt <= atOnceMs)
    return `${tried}, and failed at once: probably it cannot get the kernel or the root file system of image "${vm.image}"`;
  if (from !== undefined && from - sentAt >= atOnceMs) {
    const seconds = Math.floor((from - sentAt) / 1000);
    return `${tried}, and failed after ${seconds} s or more: probably its bridge is missing, or image "${vm.image}" came slowly and not whole`;
  }
  return `${tried}; it does not say why, its log does: an image that it cannot get, or a bridge that is missing`;
}
