import type { Connection } from "../../reconciler/model/connection.js";
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

/** A standing of a forge, and how its webhook stands. */
interface ForgeStanding extends Standing {
  /** Where it goes; empty when that is not known. */
  readonly webhookUrl: string;
  /** Why the forge does not have it although it is to be registered. */
  readonly unregistered?: string;
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

/** What the reconciler says of a forge, the token for it and its webhook; with `wait` it may first have to ask there. */
export function connectionStanding(
  context: Context,
  { name, webhook }: Pick<Connection, "name" | "webhook">,
  wait: boolean,
): Promise<ForgeStanding> {
  return firstAnswer<ForgeStanding>(context, wait, async () => {
    const status = await readConnectionStatus(context.api, name);
    const check = await checkOf(context, `connection/${name}`);
    // An older service does not look at the token: all that it knows is whether the forge answers.
    if (status === undefined) return { ...check, standing: { ...check.standing, webhookUrl: "" } };
    const about = (type: string) => status.conditions.find((condition) => condition.type === type)?.message;
    const standing = status.usable === null ? check.standing : judged(status.usable, about("Usable"));
    const unregistered = status.webhookRegistered === false ? { unregistered: about("WebhookRegistered") ?? noReason } : {};
    const looked = about("Usable") !== undefined && (!webhook.register || status.webhookRegistered !== null);
    return { standing: { ...standing, webhookUrl: status.webhookUrl ?? "", ...unregistered }, asked: looked || failed(check) };
  });
}

const noReason = "the service does not say why";
const judged = (ok: boolean, message: string | undefined): Standing => (ok ? { ok, reason: "" } : { ok, reason: message ?? noReason });
const failed = ({ standing, asked }: Answer<Standing>): boolean => asked && !standing.ok;

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
