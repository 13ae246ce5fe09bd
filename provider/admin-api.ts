import { z } from "zod";
import type { DeclaredKind, Spec } from "../reconciler/model/declared.js";
import { type ErrorCode, errorCodes, FireRunnerError } from "../reconciler/model/errors.js";

/** Where the admin API is, and its bearer token. */
export interface AdminApi {
  readonly url: string;
  readonly token: string;
  /** Ends calls under way. */
  readonly signal?: AbortSignal;
}

/** A declared record as the admin API answers it. */
export interface DeclaredAnswer<K extends DeclaredKind> {
  readonly spec: Spec<K>;
  readonly generation: number;
  readonly managedBy?: string | undefined;
}

export interface PutOptions {
  /** The generation that the record must have now, 0 for none; anything else is `FR-CONFLICT`. */
  readonly ifGeneration?: number;
  /** Who declares it from now on; as before when it is left out. */
  readonly managedBy?: string | undefined;
}

/** What a removal does when the record is still in use: refuse, let it drain, or (hosts) give up what runs there. */
export type WhenUsed = "refuse" | "drain" | "forget";

/** Whether a record is gone, or what still uses it. */
export type Removal = { readonly removed: true } | { readonly removed: false; readonly usedBy: readonly string[] };

/** What the service says about one thing that it depends on. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly message?: string | undefined;
}

/** What the service says of a connection beyond its record; null is what it does not know, or not yet. */
export interface ConnectionStatus {
  /** Where GitLab's webhook goes; null when the service does not know its own public address. */
  readonly webhookUrl: string | null;
  /** Whether the token suffices; null before the forge was asked, and where it does not tell. */
  readonly usable: boolean | null;
  /** Whether the forge has the webhook; null before it was asked, and where the service does not keep it. */
  readonly webhookRegistered: boolean | null;
  /** What was found: `Usable` of the token, `WebhookRegistered` of the webhook. */
  readonly conditions: readonly { readonly type: string; readonly message: string }[];
}

const deadlineMs = 15_000;
const refusalSchema = z.object({
  code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
});
// The service checked what it keeps, and a newer one may keep more: here only the form matters.
const specSchema = z.looseObject({ name: z.string() });
const answerSchema = z.object({ spec: specSchema, generation: z.int(), managedBy: z.string().optional() });
const listSchema = z.object({ items: z.array(z.object({ spec: specSchema })) });
const checksSchema = z.object({ checks: z.array(z.object({ name: z.string(), ok: z.boolean(), message: z.string().optional() })) });
const connectionStatusSchema = z.object({
  webhookUrl: z.string().nullable(),
  usable: z.boolean().nullable(),
  webhookRegistered: z.boolean().nullable(),
  conditions: z.array(z.object({ type: z.string(), message: z.string() })),
});
const usedSchema = z.object({ usedBy: z.array(z.string()) });

/** Creates or replaces a record by its name. */
export async function putDeclared<K extends DeclaredKind>(
  api: AdminApi,
  kind: K,
  spec: Spec<K>,
  { ifGeneration, managedBy }: PutOptions = {},
): Promise<DeclaredAnswer<K>> {
  const query = managedBy === undefined ? "" : `?${new URLSearchParams({ managedBy })}`;
  const headers: Record<string, string> =
    ifGeneration === undefined ? {} : ifGeneration === 0 ? { "if-none-match": "*" } : { "if-match": `"${ifGeneration}"` };
  const response = await call(api, "PUT", `${pathOf(kind, spec.name)}${query}`, { body: spec, headers });
  return answer(response, `writing ${kind} "${spec.name}"`);
}

/**
 * The record, or undefined when there is none of the name. That it is missing is believed only of an address that lists
 * records of its kind: a wrong address must not look like an empty service.
 */
export async function getDeclared<K extends DeclaredKind>(api: AdminApi, kind: K, name: string): Promise<DeclaredAnswer<K> | undefined> {
  const attempted = `reading ${kind} "${name}"`;
  const response = await call(api, "GET", pathOf(kind, name));
  if (response.status !== 404) return answer(response, attempted);
  await response.body?.cancel();
  if ((await listDeclared(api, kind)).some(({ spec }) => spec.name === name)) {
    throw new FireRunnerError("FR-CONFLICT", `${kind} "${name}" was just made or removed by somebody else; repeat`, { retryable: true });
  }
  return undefined;
}

/** All records of a kind, in their order. */
export async function listDeclared<K extends DeclaredKind>(api: AdminApi, kind: K): Promise<readonly { readonly spec: Spec<K> }[]> {
  const attempted = `listing ${kind}s`;
  const response = await call(api, "GET", `/v1/${kind}s`);
  if (!response.ok) throw await refusal(response, attempted);
  const parsed = listSchema.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) throw strange(attempted, response.status);
  return parsed.data.items as unknown as readonly { readonly spec: Spec<K> }[];
}

/** Removes the record; that there is none is no error. What still uses it is `FR-REFERENCED`, or told when it drains. */
export async function deleteDeclared(api: AdminApi, kind: DeclaredKind, name: string, whenUsed: WhenUsed = "refuse"): Promise<Removal> {
  const attempted = `removing ${kind} "${name}"`;
  const response = await call(api, "DELETE", `${pathOf(kind, name)}${whenUsed === "refuse" ? "" : `?whenUsed=${whenUsed}`}`);
  if (response.status === 202) {
    const used = usedSchema.safeParse(await response.json().catch(() => undefined));
    if (!used.success) throw strange(attempted, response.status);
    return { removed: false, usedBy: used.data.usedBy };
  }
  if (!response.ok && response.status !== 404) throw await refusal(response, attempted);
  await response.body?.cancel();
  return { removed: true };
}

/** What the service says about itself, its hosts (`host/NAME`) and its connections (`connection/NAME`). */
export async function readChecks(api: AdminApi): Promise<readonly Check[]> {
  const response = await call(api, "GET", "/ready");
  if (!response.ok && response.status !== 503) throw await refusal(response, "asking for the service's state");
  const parsed = checksSchema.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) throw strange("asking for the service's state", response.status);
  return parsed.data.checks;
}

/** What the service says of a connection; undefined when it is of a version that says nothing. */
export async function readConnectionStatus(api: AdminApi, name: string): Promise<ConnectionStatus | undefined> {
  const attempted = `asking how connection "${name}" does`;
  const response = await call(api, "GET", `${pathOf("connection", name)}/status`);
  if (response.status === 404) {
    await response.body?.cancel();
    return undefined;
  }
  if (!response.ok) throw await refusal(response, attempted);
  const parsed = connectionStatusSchema.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) throw strange(attempted, response.status);
  return parsed.data;
}

const pathOf = (kind: DeclaredKind, name: string): string => `/v1/${kind}s/${encodeURIComponent(name)}`;

interface Sent {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

async function call(api: AdminApi, method: string, path: string, { body, headers }: Sent = {}): Promise<Response> {
  const url = `${api.url.replace(/\/+$/, "")}${path}`;
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    return await fetch(url, {
      method,
      headers: { authorization: `Bearer ${api.token}`, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      signal: api.signal === undefined ? deadline : AbortSignal.any([deadline, api.signal]),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    if (api.signal?.aborted === true) throw new FireRunnerError("FR-CONFIG", `${method} ${url} was interrupted`, { cause });
    const message = `${method} ${url} got no answer (${reason(cause)}): is the service running, and is the URL right?`;
    throw new FireRunnerError("FR-CONFIG", message, { retryable: true, cause });
  }
}

async function answer<K extends DeclaredKind>(response: Response, attempted: string): Promise<DeclaredAnswer<K>> {
  if (!response.ok) throw await refusal(response, attempted);
  const parsed = answerSchema.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) throw strange(attempted, response.status);
  const { spec, generation, managedBy } = parsed.data;
  return { spec: spec as unknown as Spec<K>, generation, managedBy };
}

async function refusal(response: Response, attempted: string): Promise<FireRunnerError> {
  const parsed = refusalSchema.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) return strange(attempted, response.status);
  const { code, message, details } = parsed.data;
  return new FireRunnerError(code, `${attempted} was refused: ${message}`, details === undefined ? {} : { details });
}

/** Not our service, or something in between: a proxy answers without a code. */
const strange = (attempted: string, status: number): FireRunnerError =>
  new FireRunnerError("FR-CONFIG", `${attempted} was answered with HTTP ${status}, not as FireRunner answers; check the URL`);

/** fetch hides why it failed in a cause of its error. */
function reason(caught: unknown): string {
  if (!(caught instanceof Error)) return String(caught);
  if (caught.name === "TimeoutError") return `nothing within ${deadlineMs / 1000} s`;
  return caught.cause instanceof Error ? caught.cause.message || caught.cause.name : caught.message;
}
