import type { Clock } from "../model/clock.js";
import type { Connection } from "../model/connection.js";
import { type Hint, hintKey } from "../model/front-door.js";
import { isFinished, type JobStatus, jobKey } from "../model/job.js";
import type { Store } from "../store/port.js";
import { createGate } from "./gate.js";
import { watchWaitingHints } from "./waiting-hints.js";

/** What a webhook says about a job; nothing of it is believed. */
interface HookedJob {
  readonly projectId: number;
  readonly jobId: number;
  readonly status: JobStatus;
}

/** What a webhook says about a pipeline: something changed in it. */
interface HookedPipeline {
  readonly projectId: number;
}

/**
 * What became of an authentic webhook: `hinted` (the job or the project will be read), `known` (it was going to be
 * anyway, or this very status was read before), `finished` (known as finished before), `collapsed` (too many hints wait: the whole project will be read
 * instead), `created` and `other-status` (nothing to do yet), `foreign-project` (outside of the connection's scope).
 */
type IntakeOutcome = "hinted" | "known" | "finished" | "collapsed" | "created" | "other-status" | "foreign-project";

export interface IntakeOptions {
  readonly store: Pick<Store, "get" | "list" | "watch" | "commit">;
  readonly clock: Pick<Clock, "now">;
  /** Above this many waiting hints a connection gets hints at whole projects instead of more hints at jobs. */
  readonly maxWaitingHints?: number;
  /** Reads a connection's waiting and running jobs soon: for what no hint can be written of. Asked for now and then at most. */
  readonly pollSoon: (connection: string) => void;
}

export interface WebhookIntake {
  /** Settles when the hint is durable. Rejects with `FR-STORE` when it cannot be. */
  job(connection: Connection, job: HookedJob): Promise<IntakeOutcome>;
  /** A pipeline may have jobs that no Job Hook has told of: its project is read. */
  pipeline(connection: Connection, pipeline: HookedPipeline): Promise<IntakeOutcome>;
  /** A webhook that was too large to be read: something happened in the connection's scope. */
  unread(connection: Connection): Promise<void>;
  stop(): void;
}

/** A connection with many webhooks that leave no hint is not read without a pause; its ordinary polls go on beside. */
const pollEveryMs = 5_000;

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
    const now = clock.now();
    const value: Hint = { ...hint, firstSeenAt: waitingHint?.firstSeenAt ?? now, hookedAt: now };
    await store.commit({ writes: [{ kind: "hint", key, value, expect: "any" }] });
    return waitingHint === undefined ? "hinted" : "known";
  }

  const gate = createGate(clock, pollEveryMs);
  function pollSoon({ name }: Connection): void {
    if (gate(name)) options.pollSoon(name);
  }

  /** Projects are many where the scope is a group or an instance: beyond twice the bound a poll of the whole connection has to do. */
  async function collapse(connection: Connection, projectId: number): Promise<IntakeOutcome> {
    const hint = { connection: connection.name, projectId };
    const room = "projectId" in connection.scope || waiting.count(connection.name) < 2 * maxWaitingHints;
    if (room || store.get("hint", hintKey(hint)) !== undefined) await write(hint);
    else pollSoon(connection);
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
      // A group's webhook and a project's tell of the same event; under one id no status comes twice.
      if (known?.status === status) return "known";
      if (waiting.count(connection.name) >= maxWaitingHints && store.get("hint", hintKey(hint)) === undefined) {
        return collapse(connection, projectId);
      }
      return write(hint);
    },
    async pipeline(connection, { projectId }) {
      if ("projectId" in connection.scope && connection.scope.projectId !== projectId) return "foreign-project";
      const hint = { connection: connection.name, projectId };
      if (waiting.count(connection.name) >= maxWaitingHints && store.get("hint", hintKey(hint)) === undefined) {
        return collapse(connection, projectId);
      }
      return write(hint);
    },
    async unread(connection) {
      // Which project of a group it was stands in the part that was not read.
      if ("projectId" in connection.scope) await write({ connection: connection.name, projectId: connection.scope.projectId });
      else pollSoon(connection);
    },
    stop: waiting.stop,
  };
}
