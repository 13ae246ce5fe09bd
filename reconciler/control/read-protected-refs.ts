import type { Connection } from "../model/connection.js";
import { FireRunnerError } from "../model/errors.js";
import type { Effect } from "../plan/effect.js";
import type { Execution, ExecutionContext } from "./execution.js";

/** Reads a project's protected branches and tags. That they may not be read is an answer too; only silence is tried again. */
export async function readProtectedRefs(
  connection: Connection,
  { projectId }: Extract<Effect, { kind: "readProtectedRefs" }>,
  { ports, soft }: ExecutionContext,
): Promise<Execution> {
  try {
    const refs = await ports.forge.protectedRefs(connection, projectId);
    soft.noteProtectedRefs(connection.name, projectId, { at: ports.clock.now(), refs });
  } catch (caught) {
    if (!isAnswer(caught)) throw caught;
    soft.noteProtectedRefs(connection.name, projectId, { at: ports.clock.now(), refused: caught.message });
  }
  return "done";
}

/** A token that is refused altogether says nothing of one project. */
function isAnswer(caught: unknown): caught is FireRunnerError {
  return caught instanceof FireRunnerError && caught.code.startsWith("FR-FORGE-") && !caught.retryable && caught.details.status !== 401;
}
