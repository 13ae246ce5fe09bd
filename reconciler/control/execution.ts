import { FireRunnerError } from "../model/errors.js";
import type { LeaderWrites } from "./leader-writes.js";
import type { ControlPorts, ControlSettings } from "./ports.js";
import type { SoftState } from "./soft-state.js";

/** What an effect is carried out with. */
export interface ExecutionContext {
  readonly ports: ControlPorts;
  readonly settings: ControlSettings;
  readonly soft: SoftState;
  readonly writes: LeaderWrites;
}

/** `done`: the subject is free again. `again`: it is as it was; look once more, later. */
export type Execution = "done" | "again";

/** A declared record that an effect needs; it may have been removed since the plan. */
export function needed<T>(value: { readonly value: { readonly spec: T } } | undefined, what: string): T {
  if (value === undefined) throw new FireRunnerError("FR-NOT-FOUND", `${what} is no longer declared`, { retryable: true });
  return value.value.spec;
}
