import { createHash } from "node:crypto";
import { z } from "zod";
import { FireRunnerError } from "../../reconciler/model/errors.js";
import { registryCredential } from "./credentials.js";
import { type ImageReference, parseReference, registryUrl } from "./reference.js";

const deadlineMs = 15_000;
const maxManifestBytes = 4 * 1_048_576;
const indexTypes = ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
const manifestTypes = ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];

const indexSchema = z.object({
  manifests: z.array(
    z.object({ digest: z.string(), platform: z.object({ architecture: z.string(), os: z.string().optional() }).optional() }),
  ),
});
const tokenSchema = z.union([
  z.object({ token: z.string() }).transform(({ token }) => token),
  z.object({ access_token: z.string() }).transform(({ access_token }) => access_token),
]);

export interface ResolveOptions {
  /** The architecture that is taken from a multi-arch index. */
  readonly arch: string;
  readonly signal?: AbortSignal;
  /** Where `DOCKER_CONFIG` and `HOME` are looked up; the process's own environment when left out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Asks a registry which digest a tag stands for, and returns the reference with that digest. `FR-CONFIG` names the
 * registry and the reference: unreachable, refused, unknown, or without the architecture.
 */
export async function resolveDigest(text: string, options: ResolveOptions): Promise<string> {
  const reference = parseReference(text);
  const deadline = AbortSignal.timeout(deadlineMs);
  const asking: Asking = {
    text,
    reference,
    signal: options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]),
    credential: registryCredential(reference.registry, options.env ?? process.env),
  };
  const { type, body, digest } = await readManifest(asking);
  if (!indexTypes.includes(type)) return `${reference.name}@${digest}`;
  const index = indexSchema.safeParse(parseJson(body));
  if (!index.success) throw failed(asking, "its index is not understood");
  const fitting = index.data.manifests.find(
    ({ platform }) => platform?.architecture === options.arch && (platform.os ?? "linux") === "linux",
  );
  if (fitting !== undefined) return `${reference.name}@${fitting.digest}`;
  const known = index.data.manifests.flatMap(({ platform }) => (platform === undefined ? [] : [platform.architecture]));
  throw failed(asking, `it has no ${options.arch}, only ${[...new Set(known)].join(", ") || "nothing"}`);
}

interface Asking {
  readonly text: string;
  readonly reference: ImageReference;
  readonly signal: AbortSignal;
  readonly credential: string | undefined;
}

async function readManifest(asking: Asking): Promise<{ readonly type: string; readonly body: Buffer; readonly digest: string }> {
  const { registry, repository, version } = asking.reference;
  const url = `${registryUrl(registry)}/v2/${repository}/manifests/${version}`;
  let response = await get(asking, url, undefined);
  if (response.status === 401) {
    const authorization = await authorize(asking, response.headers.get("www-authenticate") ?? "");
    await response.body?.cancel();
    if (authorization !== undefined) response = await get(asking, url, authorization);
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw failed(asking, refusals[response.status] ?? `HTTP ${response.status}`);
  }
  const body = await readBody(asking, response);
  // The digest is that of the bytes: what a header says about them is not needed.
  const digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
  return { type: (response.headers.get("content-type") ?? "").split(";")[0] ?? "", body, digest };
}

const refusals: Readonly<Record<number, string>> = {
  401: "it needs a login: `docker login` on the machine that runs this",
  403: "the login may not read it",
  404: "it is not known there",
  429: "the registry asked to come back later",
};

async function get(asking: Asking, url: string, authorization: string | undefined): Promise<Response> {
  try {
    return await fetch(url, {
      headers: { accept: [...indexTypes, ...manifestTypes].join(", "), ...(authorization === undefined ? {} : { authorization }) },
      signal: asking.signal,
    });
  } catch (cause) {
    throw failed(asking, reason(cause), cause);
  }
}

/** Answers a registry's challenge: `Basic`, or a token of the address that `Bearer` names. */
async function authorize(asking: Asking, challenge: string): Promise<string | undefined> {
  const { credential } = asking;
  if (/^basic\b/i.test(challenge)) return credential === undefined ? undefined : `Basic ${credential}`;
  if (!/^bearer\b/i.test(challenge)) return undefined;
  const said = Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]));
  const realm = said.realm !== undefined && URL.canParse(said.realm) ? new URL(said.realm) : undefined;
  // A password goes where it was given for, and over an encrypted way unless the registry itself is on this machine.
  if (realm === undefined || (realm.protocol !== "https:" && registryUrl(asking.reference.registry).startsWith("https:"))) return undefined;
  realm.searchParams.set("scope", said.scope ?? `repository:${asking.reference.repository}:pull`);
  if (said.service !== undefined) realm.searchParams.set("service", said.service);
  const response = await get(asking, realm.href, credential === undefined ? undefined : `Basic ${credential}`);
  if (!response.ok) {
    await response.body?.cancel();
    throw failed(asking, `its token service ${realm.host} answered HTTP ${response.status}`);
  }
  const token = tokenSchema.safeParse(parseJson(await readBody(asking, response)));
  if (!token.success) throw failed(asking, `its token service ${realm.host} gave no token`);
  return `Bearer ${token.data}`;
}

async function readBody(asking: Asking, response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      if (bytes > maxManifestBytes) throw failed(asking, `its answer is longer than ${maxManifestBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (caught) {
    throw caught instanceof FireRunnerError ? caught : failed(asking, reason(caught), caught);
  }
  return Buffer.concat(chunks);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

function failed({ text, reference }: Asking, why: string, cause?: unknown): FireRunnerError {
  const message = `the registry ${reference.registry} could not resolve ${text}: ${why}`;
  return new FireRunnerError("FR-CONFIG", message, cause === undefined ? {} : { cause });
}

/** fetch hides why it failed in a cause of its error. */
function reason(caught: unknown): string {
  if (!(caught instanceof Error)) return String(caught);
  if (caught.name === "TimeoutError") return `no answer within ${deadlineMs / 1000} s`;
  return caught.cause instanceof Error ? caught.cause.message || caught.cause.name : caught.message;
}
