import type { LoopObserver } from "./control/ports.js";
import type { LastAnswer } from "./http/loop-view.js";
import type { Clock } from "./model/clock.js";
import type { ErrorCode } from "./model/errors.js";
import { jobKey } from "./model/job.js";
import { type Effect, effectLane } from "./plan/effect.js";
import type { Store } from "./store/port.js";
import type { Logger } from "./telemetry/logger.js";
import type { MetricsRecorder } from "./telemetry/metrics.js";

export interface ObserverOptions {
  readonly store: Pick<Store, "get">;
  readonly logger: Logger;
  readonly metrics: MetricsRecorder;
  readonly clock: Pick<Clock, "now">;
}

/** An observer that also remembers, by lane (`host/<name>`, `connection/<name>`), how the last call there went. */
export interface WatchfulObserver extends LoopObserver {
  lastAnswer(lane: string): LastAnswer | undefined;
}

/** Failures that say something about the other side and not about one request. */
const outages: ReadonlySet<ErrorCode> = new Set([
  "FR-CONFIG",
  "FR-HOST-UNREACHABLE",
  "FR-HOST-UNAUTHORIZED",
  "FR-FORGE-UNREACHABLE",
  "FR-FORGE-UNAUTHORIZED",
  "FR-FORGE-RATE-LIMITED",
]);

/** Turns the loop's work into log lines and metrics. Lines about a job or its microVM carry its trace id. */
export function createLoopObserver({ store, logger, metrics, clock }: ObserverOptions): WatchfulObserver {
  const answers = new Map<string, LastAnswer>();
  const failing = new Map<string, ErrorCode>();

  function traceOf(effect: Effect): { readonly traceId?: string } {
    const record =
      "vm" in effect ? store.get("microvm", effect.vm) : effect.kind === "readJob" ? store.get("job", jobKey(effect)) : undefined;
    return record === undefined ? {} : { traceId: record.value.traceId };
  }

  return {
    pass(durationMs, decisions, effects) {
      metrics.reconciled(durationMs / 1000);
      if (decisions > 0 || effects > 0) logger.debug({ durationMs, decisions, effects }, "the loop decided");
    },
    effect(effect, outcome, durationMs, error) {
      metrics.effect(effect.kind, outcome);
      const lane = effectLane(effect);
      const what = `${effect.kind} ${lane}`;
      const fields = { ...effect, durationMs, ...traceOf(effect) };
      if (error === undefined) {
        answers.set(lane, { ok: true });
        if (failing.delete(what)) logger.info(fields, `${effect.kind} works again`);
        else logger.debug(fields, `${effect.kind} done`);
        return;
      }
      if (outages.has(error.code)) answers.set(lane, { ok: false, message: `${error.code}: ${error.message}` });
      // What is away stays away for a while: that is told once, until it changes.
      const known = failing.get(what) === error.code;
      failing.set(what, error.code);
      const told = { ...fields, code: error.code, ...(error.code === "FR-INTERNAL" ? { error } : { details: error.details }) };
      logger[known ? "debug" : "warn"](told, `${effect.kind} failed and is tried again: ${error.message}`);
    },
    foundByPolling: (connection, count) => metrics.foundByPolling(connection, count),
    fault(error) {
      logger.error({ code: error.code, error }, `the loop failed and begins again: ${error.message}`);
    },
    leads(epoch) {
      metrics.leads(epoch === undefined ? undefined : { epoch, since: clock.now() });
      // What was learnt while leading gets old from here on.
      if (epoch === undefined) for (const known of [answers, failing]) known.clear();
      logger.info(
        epoch === undefined ? {} : { epoch },
        epoch === undefined ? "this process leads no more" : "this process leads from now on",
      );
    },
    lastAnswer: (lane) => answers.get(lane),
  };
}

/** Writes every event that is committed to the log, with its trace id; the returned function ends it. */
export function logEvents(store: Pick<Store, "watch">, logger: Logger): () => void {
  return store.watch(({ events }) => {
    for (const { type, subject, message, traceId } of events) {
      logger.info({ event: type, [subject.kind]: subject.name, ...(traceId === undefined ? {} : { traceId }) }, message);
    }
  });
}
