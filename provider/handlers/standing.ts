import { readChecks, readConnectionStatus } from "../admin-api.js";
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

/** A standing of a forge, and where its webhook goes: empty when that is not known. */
interface ForgeStanding extends Standing {
  readonly webhookUrl: string;
}

/** A standing, and whether it is the first answer's already: until then it may still change for the better. */
interface Answer<S extends Standing> {
  readonly standing: S;
  readonly asked: boolean;
}

/** What the reconciler says of a side that it has not spoken with. */
const notAskedYet = "not asked yet";

/** What the reconciler says of a host; with `wait` it may first have to ask there. */
export function hostStanding(context: Context, name: string, wait: boolean): Promise<Standing> {
  return firstAnswer<Standing>(context, wait, () => checkOf(context, `host/${name}`));
}

/** What the reconciler says of a forge and of the token for it; with `wait` it may first have to ask there. */
export function connectionStanding(context: Context, name: string, wait: boolean): Promise<ForgeStanding> {
  return firstAnswer<ForgeStanding>(context, wait, async () => {
    const status = await readConnectionStatus(context.api, name);
    const webhookUrl = status?.webhookUrl ?? "";
    if (status?.usable === true) return { standing: { ok: true, reason: "", webhookUrl }, asked: true };
    const { standing: check, asked } = await checkOf(context, `connection/${name}`);
    if (status?.usable !== false) {
      // A forge that answers is well for now, but a service that looks at the token has still to say whether it suffices.
      return { standing: { ...check, webhookUrl }, asked: asked && (!check.ok || status === undefined) };
    }
    const reason = status.messages.join("; ") || check.reason || "the service does not say why";
    return { standing: { ok: false, reason, webhookUrl }, asked: true };
  });
}

async function firstAnswer<S extends Standing>(context: Context, wait: boolean, ask: () => Promise<Answer<S>>): Promise<S> {
  const until = context.clock.now() + firstAnswerMs;
  for (;;) {
    const { standing, asked } = await ask();
    if (asked || !wait || context.clock.now() >= until) return standing;
    await pause(context, askEveryMs);
  }
}

async function checkOf(context: Context, subject: string): Promise<Answer<Standing>> {
  const check = (await readChecks(context.api)).find(({ name }) => name === subject);
  if (check?.ok === true) return { standing: { ok: true, reason: "" }, asked: true };
  const reason = check?.message ?? notAskedYet;
  return { standing: { ok: false, reason }, asked: reason !== notAskedYet };
}
