import type { DeclaredKind } from "../../reconciler/model/declared.js";
import { FireRunnerError } from "../../reconciler/model/errors.js";
import { deleteDeclared, type Removal, type WhenUsed } from "../admin-api.js";
import type { Context } from "./handler.js";
import { pause, span } from "./waiting.js";

/** How often a removal is asked for, and how often it is told what it waits for. A drain lapses without being asked for. */
const askEveryMs = 2_000;
const tellEveryMs = 60_000;
/** How long the service may be away in the middle of a removal before that is an error. */
const awayMs = 120_000;

interface Wanted {
  readonly kind: DeclaredKind;
  readonly name: string;
  readonly whenUsed: WhenUsed;
  readonly deleteS: number;
}

/** Asks for a removal until it is done; what is not there is removed. `FR-REFERENCED` says what it still waited for in the end. */
export async function removeWhenUnused(context: Context, { kind, name, whenUsed, deleteS }: Wanted): Promise<void> {
  const { clock } = context;
  const began = clock.now();
  const until = began + deleteS * 1000;
  let heardAt: number | undefined;
  let toldAt = Number.NEGATIVE_INFINITY;
  let usedBy: readonly string[] = [];
  for (;;) {
    try {
      const removal = await ask(context, kind, name, whenUsed);
      if (removal.removed) return;
      usedBy = removal.usedBy;
      heardAt = clock.now();
    } catch (caught) {
      // Only a service that was there before is waited for.
      const passing = caught instanceof FireRunnerError && caught.retryable && !context.signal.aborted;
      if (!passing || heardAt === undefined || clock.now() > heardAt + awayMs) throw caught;
    }
    if (clock.now() >= until) throw stillUsed(kind, name, usedBy, deleteS);
    if (clock.now() >= toldAt + tellEveryMs) {
      context.say(`${kind} "${name}" waits for ${usedBy.join(", ")} (for at most ${span(deleteS)})`);
      toldAt = clock.now();
    }
    await pause(context, Math.min(askEveryMs, Math.max(until - clock.now(), 0)));
  }
}

async function ask({ api }: Context, kind: DeclaredKind, name: string, whenUsed: WhenUsed): Promise<Removal> {
  try {
    return await deleteDeclared(api, kind, name, whenUsed);
  } catch (caught) {
    if (!(caught instanceof FireRunnerError) || caught.code !== "FR-REFERENCED") throw caught;
    const { usedBy } = caught.details;
    return { removed: false, usedBy: Array.isArray(usedBy) ? usedBy.map(String) : [caught.message] };
  }
}

const stillUsed = (kind: DeclaredKind, name: string, usedBy: readonly string[], deleteS: number): FireRunnerError =>
  new FireRunnerError(
    "FR-REFERENCED",
    `${kind} "${name}" was still used by ${usedBy.join(", ")} after ${span(deleteS)}; run it again to go on waiting, or give it a longer timeouts.deleteS`,
  );
