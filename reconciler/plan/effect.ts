/** One call to the outside, fully specified. Its outcome comes back as a record or an observation, never as a decision. */
export type Effect =
  | { readonly kind: "readJob"; readonly connection: string; readonly projectId: number; readonly jobId: number }
  | { readonly kind: "poll"; readonly connection: string; readonly projectId?: number }
  | { readonly kind: "readProtectedRefs"; readonly connection: string; readonly projectId: number }
  | { readonly kind: "sweepRunners"; readonly connection: string }
  | { readonly kind: "checkConnection"; readonly connection: string }
  | { readonly kind: "confirmLoss"; readonly connection: string; readonly projectId: number; readonly jobId: number }
  | { readonly kind: "cancelJob"; readonly connection: string; readonly projectId: number; readonly jobId: number; readonly force: boolean }
  | { readonly kind: "retryJob"; readonly connection: string; readonly projectId: number; readonly jobId: number }
  | { readonly kind: "listHost"; readonly host: string }
  | { readonly kind: "createOnHost"; readonly vm: string; readonly host: string }
  | { readonly kind: "deleteOnHost"; readonly vm: string; readonly host: string; readonly uid: string }
  | { readonly kind: "checkGone"; readonly vm: string; readonly host: string; readonly uid: string }
  | { readonly kind: "deleteDouble"; readonly host: string; readonly uid: string }
  | { readonly kind: "makeRunner"; readonly vm: string; readonly connection: string; readonly findFirst: boolean }
  | { readonly kind: "findRunner"; readonly vm: string; readonly connection: string }
  | { readonly kind: "pauseRunner"; readonly vm: string; readonly connection: string; readonly runnerId: number }
  | { readonly kind: "readRunningJobs"; readonly vm: string; readonly connection: string; readonly runnerId: number }
  | { readonly kind: "deleteRunner"; readonly vm: string; readonly connection: string; readonly runnerId: number }
  | { readonly kind: "tendPresence"; readonly presence: string; readonly connection: string; readonly step: PresenceStep };

/** What is done next with a presence runner; `remake` looks first for what an earlier try may have left. */
export type PresenceStep = "make" | "remake" | "contact" | "pause" | "unpause" | "remove";

/** What an effect acts on: at most one effect with the same key is under way. */
export function effectKey(effect: Effect): string {
  switch (effect.kind) {
    case "readJob":
      return `readJob:${effect.connection}/${effect.projectId}/${effect.jobId}`;
    case "confirmLoss":
    case "cancelJob":
    case "retryJob":
      return `lostJob:${effect.connection}/${effect.projectId}/${effect.jobId}`;
    case "poll":
      return `poll:${effect.connection}/${effect.projectId ?? "all"}`;
    case "readProtectedRefs":
      return `readProtectedRefs:${effect.connection}/${effect.projectId}`;
    case "sweepRunners":
      return `sweepRunners:${effect.connection}`;
    case "checkConnection":
      return `checkConnection:${effect.connection}`;
    case "listHost":
      return `listHost:${effect.host}`;
    case "deleteDouble":
      return `deleteDouble:${effect.host}/${effect.uid}`;
    case "createOnHost":
    case "deleteOnHost":
    case "checkGone":
      return `host:${effect.vm}`;
    case "tendPresence":
      return `presence:${effect.presence}`;
    case "makeRunner":
    case "findRunner":
    case "pauseRunner":
    case "readRunningJobs":
    case "deleteRunner":
      return `runner:${effect.vm}`;
  }
}

/**
 * Whose bounded queue the effect waits in: one host's or one forge's. Jobs, and what is to be known for their sake, are read
 * in a queue of their own, so that a burst of hints holds up no runner.
 */
export function effectLane(effect: Effect): string {
  if (effect.kind === "readJob" || effect.kind === "readProtectedRefs") return `jobs/${effect.connection}`;
  return "host" in effect ? `host/${effect.host}` : `connection/${effect.connection}`;
}
