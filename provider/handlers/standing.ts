import { readChecks } from "../admin-api.js";
import type { Context } from "./handler.js";
import { pause } from "./waiting.js";

/** How long the first answer of a new host or forge is waited for. */
const firstAnswerMs = 20_000;
const askEveryMs = 500;

/** Whether the reconciler could speak with a host or a forge when it tried last, and why not. */
export interface Standing {
  readonly ok: boolean;
  readonly reason: string;
}

/** What the reconciler says of `host/NAME` or `connection/NAME`; with `wait` it may first have to ask there. */
export async function standingOf(context: Context, subject: string, wait: boolean): Promise<Standing> {
  const until = context.clock.now() + firstAnswerMs;
  for (;;) {
    const check = (await readChecks(context.api)).find(({ name }) => name === subject);
    if (check?.ok === true) return { ok: true, reason: "" };
    const asked = check !== undefined && check.message !== notAskedYet;
    if (asked || !wait || context.clock.now() >= until) return { ok: false, reason: check?.message ?? notAskedYet };
    await pause(context, askEveryMs);
  }
}

/** What the reconciler says of a side that it has not spoken with. */
const notAskedYet = "not asked yet";
