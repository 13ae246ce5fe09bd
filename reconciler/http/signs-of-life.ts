import type { Snapshot } from "../plan/snapshot.js";
import type { LoopView } from "./loop-view.js";

/** Whether a host answers the loop of this process. */
export interface Reachability {
  readonly reachable: "yes" | "no" | "unknown";
  /** Why it is not reachable, or not known to be. */
  readonly message?: string;
}

/** How long a guest may be silent before it is no sign of its host's life. */
const heardMs = 60_000;

/** How the last call to a host went; `seen` is what the loop sees, when it leads. */
export function reachability(loop: LoopView, seen: Snapshot | undefined, host: string): Reachability {
  if (seen === undefined) return { reachable: "unknown", message: "this process does not lead" };
  const answer = loop.lastAnswer(`host/${host}`);
  if (answer === undefined) return { reachable: "unknown", message: "not asked yet" };
  return answer.ok ? { reachable: "yes" } : { reachable: "no", message: answer.message };
}

/** What speaks for it that a host's machine is alive, in words for people; undefined when nothing does. */
export function signsOfLife(loop: LoopView, host: string): string | undefined {
  const seen = loop.look();
  const { reachable, message } = reachability(loop, seen, host);
  if (reachable === "yes") return "it answers";
  const heard = seen?.microvms.find((vm) => vm.host === host && (seen.heardAt.get(vm.name) ?? 0) > seen.now - heardMs);
  if (heard !== undefined) return `the guest of its microVM "${heard.name}" is still heard`;
  return reachable === "unknown" ? `whether it answers is not known (${message})` : undefined;
}
