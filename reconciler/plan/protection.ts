import type { Job } from "../model/job.js";
import { isProtectedRef } from "../model/protected-refs.js";
import type { Draft } from "./draft.js";
import type { ConnectionView } from "./snapshot.js";

/** How old a project's lists of protected refs may be while one of its jobs waits. */
const listsMs = 600_000;
/** A refusal may be mended any moment. */
const refusedMs = 60_000;

/** Whether a job's ref is protected; `unknown` while that is being found out, and in words why it cannot be. */
export type Protection = boolean | "unknown" | { readonly refused: string };

/** What is known about it: from the forge's own word, or from the lists that were read of its project. */
export function protectionOf(view: ConnectionView | undefined, job: Job): Protection {
  if (job.protected !== "unknown") return job.protected;
  const read = view?.protectedRefs?.get(job.projectId);
  if (read === undefined) return "unknown";
  if ("refused" in read) return { refused: read.refused };
  return job.ref !== undefined && isProtectedRef(read.refs, job.ref, job.refIsTag ?? false);
}

/** The same, and the project's lists are read when they are missing or old. */
export function learnProtection(draft: Draft, job: Job): Protection {
  const { connection, projectId } = job;
  const view = draft.connections.get(connection);
  if (job.protected === "unknown") {
    const read = view?.protectedRefs?.get(projectId);
    if (read === undefined || draft.reached(read.at + ("refused" in read ? refusedMs : listsMs)))
      draft.begin({ kind: "readProtectedRefs", connection, projectId });
  }
  return protectionOf(view, job);
}
