import type { AccessCheck, WebhookState } from "../forge/port.js";
import { type Condition, conditionKey } from "../model/condition.js";
import { type Connection, webhookUrlOf } from "../model/connection.js";
import { FireRunnerError } from "../model/errors.js";
import type { Execution, ExecutionContext } from "./execution.js";

type Judgement = Pick<Condition, "status" | "reason" | "message">;

/** A token that expires sooner is told of. */
const soonMs = 14 * 86_400_000;

/**
 * Finds out whether the connection's credential may do what is needed (`Usable`) and, where the service keeps the webhook,
 * whether the forge has it (`WebhookRegistered`). What was found is written down when it differs from what was known; a
 * call that failed is thrown after that, because it is no answer of the forge.
 */
export async function checkConnection(connection: Connection, context: ExecutionContext): Promise<Execution> {
  const { ports, soft } = context;
  const access = await judged(() => usable(connection, context));
  await put("Usable", connection, context, access.judgement);
  const webhook = connection.webhook.register ? await judged(() => registered(connection, context)) : { judgement: null };
  await put("WebhookRegistered", connection, context, webhook.judgement);
  soft.noteForgeRead(connection.name, { checked: { at: ports.clock.now(), spec: connection } });
  const failure = access.failure ?? webhook.failure;
  if (failure !== undefined) throw failure;
  return "done";
}

interface Judged {
  readonly judgement: Judgement | null;
  readonly failure?: FireRunnerError;
}

/** What the forge's refusal or silence says; that it wants to be asked later says nothing. */
async function judged(judge: () => Promise<Judgement>): Promise<Judged> {
  try {
    return { judgement: await judge() };
  } catch (caught) {
    if (!(caught instanceof FireRunnerError) || caught.code === "FR-FORGE-RATE-LIMITED" || caught.code === "FR-INTERNAL") throw caught;
    return { judgement: { status: false, reason: caught.code, message: caught.message }, failure: caught };
  }
}

async function usable(connection: Connection, { ports }: ExecutionContext): Promise<Judgement> {
  const endsJobs = ports.store
    .list("pool")
    .some(({ value: { spec } }) => spec.connection === connection.name && spec.onVmLoss !== "report");
  return judgeAccess(connection, await ports.forge.checkAccess(connection, endsJobs), ports.clock.now());
}

function judgeAccess({ token }: Connection, { ok, missing, expiresAt }: AccessCheck, now: number): Judgement {
  if (missing.length > 0)
    return { status: false, reason: "FR-FORGE-UNAUTHORIZED", message: `the token ${token} lacks ${missing.join("; ")}` };
  if (ok === "unknown") return { status: false, reason: "Unknown", message: `the forge does not tell what the token ${token} may do` };
  if (expiresAt === undefined) return { status: true, reason: "Allowed", message: "the token may do what is needed" };
  const day = new Date(Math.min(expiresAt, 8.64e15)).toISOString().slice(0, 10);
  if (expiresAt - now < soonMs)
    return { status: true, reason: "ExpiresSoon", message: `the token ${token} expires on ${day}: renew it before` };
  return { status: true, reason: "Allowed", message: `the token may do what is needed, until ${day}` };
}

async function registered(connection: Connection, context: ExecutionContext): Promise<Judgement> {
  const { ports, settings } = context;
  if (settings.publicUrl === undefined)
    return {
      status: false,
      reason: "FR-CONFIG",
      message: "listeners.public.url of the service file is not set: say there how the forge reaches it",
    };
  if (connection.webhook.secret === undefined && connection.webhook.signingToken === undefined)
    return {
      status: false,
      reason: "FR-CONFIG",
      message: "webhook.secret or webhook.signingToken of the connection is not set: webhooks without proof are refused",
    };
  const url = webhookUrlOf(settings.publicUrl, connection.name);
  const webhook = await ports.forge.ensureWebhook(connection, url);
  await tell(connection, url, webhook, context);
  return judgeWebhook(webhook);
}

/** What was done to the webhook, and that the forge has begun not to call it, is an event. */
async function tell({ name }: Connection, url: string, webhook: WebhookState, { ports, writes }: ExecutionContext): Promise<void> {
  const subject = { kind: "connection", name };
  const known = ports.store.get("condition", conditionKey({ subject, type: "WebhookRegistered" }))?.value;
  const told = eventOf(url, webhook, known);
  if (told !== undefined) await writes.commit({ writes: [], events: [{ at: ports.clock.now(), subject, ...told }] });
}

function eventOf(url: string, webhook: WebhookState, known: Condition | undefined) {
  switch (webhook.state) {
    case "made":
      return { type: "WebhookMade", message: `the forge calls ${url} from now on` };
    case "changed":
      return { type: "WebhookChanged", message: `the webhook ${url} was corrected: its triggers or its secrets were others` };
    case "re-enabled":
      return {
        type: "WebhookReEnabled",
        message: `the forge had disabled the webhook ${url}; a test was delivered, and it calls it again`,
      };
    case "muted":
      return known?.reason === "Muted" ? undefined : { type: "WebhookMuted", message: webhook.message };
    case "kept":
    case "not-allowed":
      return undefined;
  }
}

function judgeWebhook(webhook: WebhookState): Judgement {
  switch (webhook.state) {
    case "kept":
    case "made":
    case "changed":
    case "re-enabled":
      return { status: true, reason: "Registered", message: "the forge has the webhook as it must be" };
    case "muted":
      return { status: false, reason: "Muted", message: webhook.message };
    case "not-allowed":
      return { status: false, reason: "NotAllowed", message: webhook.message };
  }
}

async function put(type: string, { name }: Connection, { ports, writes }: ExecutionContext, next: Judgement | null): Promise<void> {
  const subject = { kind: "connection", name };
  await writes.update("condition", conditionKey({ subject, type }), (known) => {
    if (next === null) return known === undefined ? undefined : null;
    if (known?.status === next.status && known.reason === next.reason && known.message === next.message) return undefined;
    return { subject, type, ...next, observedAt: ports.clock.now(), count: 0 };
  });
}
