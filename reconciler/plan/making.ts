import type { Connection } from "../model/connection.js";
import type { Job, WaitingReason } from "../model/job.js";
import type { Microvm } from "../model/microvm.js";
import type { Pool } from "../model/pool.js";
import type { RunnerClass } from "../model/runner-class.js";
import { sizeOf } from "../model/size-tag.js";
import { classHeldBack } from "./backoff.js";
import type { Draft } from "./draft.js";
import { isStale } from "./look.js";
import { allocateMicrovm, commitMicrovm, newPerPlan } from "./make-microvm.js";
import type { Placement } from "./place.js";
import { whyNoRunner } from "./runner-limit.js";
import type { PoolView } from "./snapshot.js";
import type { Supply } from "./supply.js";

/** Makes microVMs of classes within all limits, and says what forbids another one. */
export class Making {
  constructor(
    private readonly draft: Draft,
    private readonly supply: Supply,
    private readonly placement: Placement,
  ) {}

  /** Makes one microVM of a class, or says what forbids it. */
  make(view: PoolView, runnerClass: RunnerClass, job?: Job): WaitingReason | undefined {
    const { spec } = view;
    const obstacle = this.obstacle(view, runnerClass);
    if (obstacle !== undefined) return obstacle;
    const size = sizeOf(spec, runnerClass.size);
    const connection = this.draft.connections.get(spec.connection)?.spec;
    if (size === undefined || connection === undefined) return undeclared(spec);
    if (this.draft.namesTaken >= newPerPlan) {
      this.draft.again();
      return onItsWay(runnerClass);
    }
    const place = this.placement.take(spec, size);
    if ("code" in place) return place;
    const vm = allocateMicrovm(this.draft, {
      pool: spec,
      sizeName: runnerClass.size,
      size,
      place,
      ...(job === undefined ? {} : { job }),
    });
    this.supply.use(spec.name);
    if (job !== undefined) this.commit(vm, spec, connection);
    return undefined;
  }

  /** What forbids anything new for a class at the moment. */
  obstacle(view: PoolView, runnerClass: RunnerClass): WaitingReason | undefined {
    const { spec } = view;
    if (view.paused) return { code: "FR-POOL-LIMIT", message: `pool "${spec.name}" is paused` };
    const connection = this.draft.connections.get(spec.connection);
    if (connection === undefined || !this.draft.snapshot.images.some((image) => image.name === spec.image)) return undeclared(spec);
    if (isStale(this.draft, connection))
      return { code: "FR-CONNECTION-STALE", message: `connection "${spec.connection}" has not been read for a minute` };
    const limited = whyNoRunner(this.draft, spec.connection);
    if (limited !== undefined) return limited;
    const held = classHeldBack(this.draft, runnerClass);
    if (held !== undefined)
      return { code: "FR-POOL-BACKOFF", message: `${held.count} times in a row no job was taken (${held.reason}: ${held.message})` };
    if (this.supply.usedBy(spec.name) < spec.maxMicrovms) return undefined;
    return { code: "FR-POOL-LIMIT", message: `pool "${spec.name}" has its maxMicrovms of ${spec.maxMicrovms}` };
  }

  /** A microVM serves a job of its class from here on: it gets a runner. */
  commit(vm: Microvm, pool: Pool, connection: Connection): void {
    commitMicrovm(this.draft, vm, pool, connection);
    this.supply.commit(vm);
  }
}

/** Why a job waits that a microVM is made for. */
export function onItsWay({ pool, size }: RunnerClass): WaitingReason {
  return { code: "FR-WAITING-FOR-MICROVM", message: `a microVM of size "${size}" of pool "${pool}" is on its way` };
}

function undeclared(pool: Pool): WaitingReason {
  return { code: "FR-NOT-FOUND", message: `pool "${pool.name}" needs connection "${pool.connection}" and image "${pool.image}"` };
}
