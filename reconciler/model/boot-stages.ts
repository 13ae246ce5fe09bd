import type { GuestReport } from "./front-door.js";
import type { Microvm } from "./microvm.js";

/**
 * The way of a microVM from the decision for it to a runner that can take a job, by what is reached at the end of each
 * stage: Create is sent, the monitor runs, the kernel runs, init runs, the network is set up, the guest claims, the runner
 * is ready.
 */
export const bootStages = ["create", "monitor", "kernel", "init", "network", "claim", "runner"] as const;
export type BootStageName = (typeof bootStages)[number];

/** How long a stage took, in milliseconds. */
export interface BootStage {
  readonly stage: BootStageName;
  readonly tookMs: number;
}

/**
 * The stages of a boot that are known, in order. Those up to `claim` follow on each other without a gap: their sum is the time
 * from `allocatedAt` to `claimedAt`, by the service's clock. What a stage unknown would have taken is in the one after it: only
 * guests of our images tell what lies between the kernel and the claim, and only our own monitor when it began. A host whose
 * clock is not the service's own can shift time between `monitor` and `kernel`, no further.
 */
export function bootStagesOf(
  vm: Pick<Microvm, "allocatedAt" | "createSentAt" | "assignedAt">,
  { claimedAt, bootMs, monitorBeganAt, startedAt }: Pick<GuestReport, "claimedAt" | "bootMs" | "monitorBeganAt" | "startedAt">,
): readonly BootStage[] {
  const sinceKernel = bootMs?.claim;
  const kernelAt = sinceKernel === undefined ? undefined : claimedAt - sinceKernel;
  const reached: readonly (readonly [BootStageName, number | undefined])[] = [
    ["create", vm.createSentAt],
    ["monitor", kernelAt === undefined ? undefined : monitorBeganAt],
    ["kernel", kernelAt],
    ["init", after(kernelAt, bootMs?.init)],
    ["network", after(kernelAt, bootMs?.network)],
    ["claim", claimedAt],
  ];
  const stages: BootStage[] = [];
  let last = vm.allocatedAt;
  for (const [stage, at] of reached) {
    if (at === undefined) continue;
    // No clock is right to the millisecond, and a guest says what it likes: nothing ends before it began, or after the claim.
    const end = Math.min(Math.max(at, last), stage === "monitor" ? (kernelAt ?? claimedAt) : claimedAt);
    stages.push({ stage, tookMs: Math.max(0, end - last) });
    last = Math.max(last, end);
  }
  if (startedAt !== undefined) {
    // A microVM that was parked waited for work, not for its runner.
    const wantedAt = Math.max(claimedAt, Math.min(vm.assignedAt ?? claimedAt, startedAt));
    stages.push({ stage: "runner", tookMs: Math.max(0, startedAt - wantedAt) });
  }
  return stages;
}

const after = (kernelAt: number | undefined, ms: number | undefined): number | undefined =>
  kernelAt === undefined || ms === undefined ? undefined : kernelAt + ms;
