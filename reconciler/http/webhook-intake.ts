import type { Clock } from "../model/clock.js";
import type { Connection } from "../model/connection.js";
import { type Hint, hintKey } from "../model/front-door.js";
import { isFinished, type JobStatus, jobKey } from "../model/job.js";
import type { Store } from "../store/port.js";
import { watchWaitingHints } from "./waiting-hints.js";

/** What a webhook says about a job; nothing of it is believed. */
interface HookedJob {
  readonly projectId: number;
  readonly jobId: number;
  readonly status: JobStatus;
}

/**
 * What became of an authentic webhook: `hinted` (the job will be read), `known` (it was going to be read anyway),
 * `finished` (known as finished before), `collapsed` (too many hints wait: the whole project will be read
 * instead), `created` and `other-status` (nothing to do yet), `foreign-project` (outside of the connection's scope).
 */
type IntakeOutcome = "hinted" | "known" | "finished" | "collapsed" | "created" | "other-status" | "foreign-project";

export interface IntakeOptions {
  readonly store: Pick<Store, "get" | "list" | "watch" | "commit">;
  readonly clock: Pick<Clock, "now">;
  /** Above this many waiting hints a connection gets hints at whole projects instead of more hints at jobs. */
  readonly maxWaitingHints?: number;
}

export interface WebhookIntake {
  /** Settles when the hint is durable. Rejects with `FR-STORE` when it cannot be. */
  job(connection: Connection, job: HookedJob): Promise<IntakeOutcome>;
  /** A webhook that was too large to be read: something happened in the connection's scope. */
  unread(connection: Connection): Promise<void>;
  stop(): void;
}

/** Statuses in which a job needs a microVM, uses one, or has finished with it. */
const hinting: ReadonlySet<JobStatus> = new Set(["pending", "running", "canceling", "success", "failed", "canceled", "skipped"]);

/** Turns webhooks into hints: one record per job, however many webhooks arrive, and a bounded number of them. */
export function createWebhookIntake(options: IntakeOptions): WebhookIntake {
  const { store, clock } = options;
  const maxWaitingHints = options.maxWaitingHints ?? 20_000;
  const waiting = watchWaitingHints(store);

  /**
   * A hint that waits already is written once more: its revision moves, so that whoever is reading the job right now
   * sees that the reading may be older than this webhook.
   */
  async function write(hint: Omit<Hint, "firstSeenAt">): Promise<"hinted" | "known"> {
    const key = hintKey(hint);
    const waitingHint = store.get("hint", key)?.value;
    const value: Hint = waitingHint ?? { ...hint, firstSeenAt: clock.now() };
    await store.commit({ writes: [{ kind: "hint", key, value, expect: "any" }] });
    return waitingHint === undefined ? "hinted" : "known";
  }

  /** Projects are many where the scope is a group or an instance: beyond twice the bound the connection's next poll has to do. */
  async function collapse(connection: Connection, projectId: number): Promise<IntakeOutcome> {
    const room = "projectId" in connection.scope || waiting.count(connection.name) < 2 * maxWaitingHints;
    if (room) await write({ connection: connection.name, projectId });
    return "collapsed";
  }

  return {
    async job(connection, { projectId, jobId, status }) {
      if ("projectId" in connection.scope && connection.scope.projectId !== projectId) return "foreign-project";
      if (status === "created") return "created";
      if (!hinting.has(status)) return "other-status";
      const hint = { connection: connection.name, projectId, jobId };
      const known = store.get("job", jobKey(hint))?.value;
      if (known !== undefined && isFinished(known.status) && isFinished(status)) return "finished";
      if (waiting.count(connection.name) >= maxWaitingHints && store.get("hint", hintKey(hint)) === undefined) {
        return collapse(connection, projectId);
      }
      return write(hint);
    },
    async unread(connection) {
      // Which project of a group it was stands in the part that was not read: the connection's next poll has to do.
      if ("projectId" in connection.scope) await write({ connection: connection.name, projectId: connection.scope.projectId });
    },
    stop: waiting.stop,
  };
}
