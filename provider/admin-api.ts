import { z } from "zod";
import { type DeclaredKind, declaredRecordSchema, declaredSchemas, type Spec } from "../reconciler/model/declared.js";
import { type ErrorCode, errorCodes, FireRunnerError } from "../reconciler/model/errors.js";

/** Where the admin API is, and its bearer token. */
export interface AdminApi {
  readonly url: string;
  readonly token: string;
}

/** A declared record as the admin API answers it. */
export interface DeclaredAnswer<K extends DeclaredKind> {
  readonly spec: Spec<K>;
  readonly generation: number;
}

const deadlineMs = 15_000;
const refusalSchema = z.object({ code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]), message: z.string() });

/** Creates or replaces a record by its name. */
export async function putDeclared<K extends DeclaredKind>(api: AdminApi, kind: K, spec: Spec<K>): Promise<DeclaredAnswer<K>> {
  return answer(kind, await call(api, "PUT", kind, spec.name, spec));
}

/** The record, or undefined when there is none of the name. */
export async function getDeclared<K extends DeclaredKind>(api: AdminApi, kind: K, name: string): Promise<DeclaredAnswer<K> | undefined> {
  const response = await call(api, "GET", kind, name);
  return response.status === 404 ? undefined : answer(kind, response);
}

/** Removes the record; that there is none is no error. */
export async function deleteDeclared(api: AdminApi, kind: DeclaredKind, name: string): Promise<void> {
  const response = await call(api, "DELETE", kind, name);
  if (!response.ok && response.status !== 404) throw await refusal(response, `deleting ${kind} "${name}"`);
  await response.body?.cancel();
}

async function call(api: AdminApi, method: string, kind: DeclaredKind, name: string, body?: unknown): Promise<Response> {
  const url = `${api.url.replace(/\/+$/, "")}/v1/${kind}s/${encodeURIComponent(name)}`;
  try {
    return await fetch(url, {
      method,
      headers: { authorization: `Bearer ${api.token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      signal: AbortSignal.timeout(deadlineMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    const message = `${method} ${url} got no answer within ${deadlineMs / 1000} s: is the service running, and is the URL right?`;
    throw new FireRunnerError("FR-CONFIG", message, { retryable: true, cause });
  }
}

async function answer<K extends DeclaredKind>(kind: K, response: Response): Promise<DeclaredAnswer<K>> {
  if (!response.ok) throw await refusal(response, `writing ${kind}`);
  const record = declaredRecordSchema(declaredSchemas[kind])
    .pick({ spec: true, generation: true })
    .loose()
    .parse(await response.json());
  return { spec: record.spec as Spec<K>, generation: record.generation as number };
}

async function refusal(response: Response, attempted: string): Promise<FireRunnerError> {
  const parsed = refusalSchema.safeParse(await response.json().catch(() => undefined));
  if (parsed.success) return new FireRunnerError(parsed.data.code, `${attempted} was refused: ${parsed.data.message}`);
  // Not our service, or something in between: a proxy answers without a code.
  return new FireRunnerError(
    "FR-CONFIG",
    `${attempted} was answered with HTTP ${response.status}, not as FireRunner answers; check the URL`,
  );
}
