import type { Clock } from "../../reconciler/model/clock.js";
import type { Refusal } from "../../reconciler/model/validation.js";
import type { AdminApi } from "../admin-api.js";

/** Plain JSON, as an infrastructure tool hands it over and keeps it. */
export type Bag = Readonly<Record<string, unknown>>;

/** What an operation may use: where the reconciler is, the time, and a way to say what it waits for. */
export interface Context {
  readonly api: AdminApi;
  readonly clock: Clock;
  /** Ends every wait. */
  readonly signal: AbortSignal;
  /** Shows one line to whoever waits. */
  readonly say: (line: string) => void;
}

/** What differs between what is and what is wanted. */
export interface Difference {
  /** The inputs that differ. */
  readonly changed: readonly string[];
  /** Those of them for which the record must be made anew. */
  readonly replaces: readonly string[];
  /** Whether the old record must go before the new one can be. */
  readonly deleteFirst: boolean;
  /** Whether one of them was never written by the user: then the inputs alone do not show the change. */
  readonly beyondInputs: boolean;
}

/**
 * The life of one resource type over plain inputs and outputs. It knows the admin API and no tool, so that each tool
 * needs a thin adapter only. Errors are `FireRunnerError`s; `PartlyDone` says that there is something to keep.
 */
export interface Handler {
  /** Completes and checks inputs. `olds` are the checked inputs of before, if any. */
  check(olds: Bag, news: Bag, signal: AbortSignal): Promise<{ readonly inputs: Bag; readonly failures: readonly Refusal[] }>;
  /** Compares outputs with new checked inputs. */
  diff(outs: Bag, news: Bag): Difference;
  create(context: Context, inputs: Bag): Promise<{ readonly id: string; readonly outs: Bag }>;
  /** What is there now, as outputs and as the inputs that would declare it; undefined when it is gone. */
  read(context: Context, id: string, outs: Bag): Promise<{ readonly outs: Bag; readonly inputs: Bag } | undefined>;
  update(context: Context, id: string, outs: Bag, news: Bag): Promise<Bag>;
  delete(context: Context, id: string, outs: Bag): Promise<void>;
}

/** The record is written, but not everything about it could be done: what there is must be kept. */
export class PartlyDone extends Error {
  constructor(
    readonly id: string,
    readonly outs: Bag,
    override readonly cause: Error,
  ) {
    super(cause.message);
    this.name = "PartlyDone";
  }
}
