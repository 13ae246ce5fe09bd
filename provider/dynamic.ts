import { type DeclaredKind, declaredSchemas, type Spec } from "../reconciler/model/declared.js";
import { FireRunnerError } from "../reconciler/model/errors.js";
import { parseOrRefuse, refusals } from "../reconciler/model/validation.js";
import { type AdminApi, deleteDeclared, getDeclared, putDeclared } from "./admin-api.js";
import { kindOfType } from "./resource-types.js";

/** What the Pulumi engine hands over and takes back: plain JSON. */
type Props = Readonly<Record<string, unknown>>;

/** The operations of a Pulumi dynamic provider. Its shape is Pulumi's `dynamic.ResourceProvider`. */
export interface Handler {
  check(olds: Props, news: Props): Promise<{ inputs: Props; failures: { property: string; reason: string }[] }>;
  diff(id: string, olds: Props, news: Props): Promise<{ changes: boolean; replaces: string[]; deleteBeforeReplace: boolean }>;
  create(inputs: Props): Promise<{ id: string; outs: Props }>;
  read(id: string, props: Props): Promise<{ id?: string; props?: Props }>;
  update(id: string, olds: Props, news: Props): Promise<{ outs: Props }>;
  delete(id: string, props: Props): Promise<void>;
}

const kindOf: Readonly<Record<string, DeclaredKind>> = kindOfType;

/**
 * The handler of a resource type: `FlintlockHost`, `MicrovmImage`, `GitLabConnection` or `RunnerPool`. State written by earlier versions names this
 * function, so its name, its argument and this module's path never change.
 */
export function provider(type: string): Handler {
  const kind = kindOf[type];
  if (kind === undefined)
    throw new FireRunnerError("FR-INVALID", `type: "${type}" is refused: must be one of ${Object.keys(kindOf).join(", ")}`);
  return handler(kind);
}

function handler<K extends DeclaredKind>(kind: K): Handler {
  const schema = declaredSchemas[kind];
  const parse = (inputs: Props): Spec<K> => parseOrRefuse(schema, inputs, kind) as Spec<K>;
  return {
    async check(_olds, news) {
      const inputs = withoutLoader(news);
      const parsed = schema.safeParse(inputs);
      if (parsed.success) return { inputs: parsed.data, failures: [] };
      return { inputs, failures: refusals(parsed.error, inputs).map(({ field, message }) => ({ property: field, reason: message })) };
    },
    async diff(id, olds, news) {
      const replaces = news.name === id ? [] : ["name"];
      return { changes: canonical(withoutLoader(olds)) !== canonical(withoutLoader(news)), replaces, deleteBeforeReplace: false };
    },
    async create(inputs) {
      const { spec, generation } = await putDeclared(adminApi(), kind, parse(withoutLoader(inputs)));
      return { id: spec.name, outs: { ...spec, generation } };
    },
    async read(id) {
      const found = await getDeclared(adminApi(), kind, id);
      return found === undefined ? {} : { id, props: { ...found.spec, generation: found.generation } };
    },
    async update(_id, _olds, news) {
      const { spec, generation } = await putDeclared(adminApi(), kind, parse(withoutLoader(news)));
      return { outs: { ...spec, generation } };
    },
    async delete(id) {
      await deleteDeclared(adminApi(), kind, id);
    },
  };
}

/** From the stack's configuration (`firerunner:url`, `firerunner:token`) or the environment; read anew for every operation. */
function adminApi(): AdminApi {
  const config: unknown = JSON.parse(process.env.PULUMI_CONFIG ?? "{}");
  const configured = (key: string) => {
    const value = typeof config === "object" && config !== null ? (config as Record<string, unknown>)[`firerunner:${key}`] : undefined;
    return typeof value === "string" ? value : undefined;
  };
  const url = configured("url") ?? process.env.FIRERUNNER_URL;
  const token = configured("token") ?? process.env.FIRERUNNER_TOKEN;
  if (url === undefined || token === undefined) {
    throw new FireRunnerError(
      "FR-CONFIG",
      "set firerunner:url and firerunner:token (pulumi config set --secret), or FIRERUNNER_URL and FIRERUNNER_TOKEN",
    );
  }
  return { url, token };
}

/** The engine hands the loader's text over with every call, and outputs among what a resource had. */
function withoutLoader(inputs: Props): Props {
  const { __provider: _loader, generation: _generation, managedBy: _managedBy, autoName, name, ...spec } = inputs;
  return { name: name ?? autoName, ...spec };
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
