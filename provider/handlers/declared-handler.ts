import { z } from "zod";
import { type DeclaredKind, declaredSchemas, type Spec } from "../../reconciler/model/declared.js";
import { FireRunnerError } from "../../reconciler/model/errors.js";
import { countSchema, managedBySchema, nameSchema } from "../../reconciler/model/fields.js";
import { parseOrRefuse } from "../../reconciler/model/validation.js";
import { type DeclaredAnswer, getDeclared } from "../admin-api.js";
import { asGiven, defaultsIn, isBag, plainBag, same, withoutDefaults } from "./bags.js";
import { type Bag, type Context, type Difference, type Handler, PartlyDone } from "./handler.js";
import type { KindDefinition } from "./kind.js";
import { refuseForeign, writeChanged, writeNew } from "./ownership.js";
import { removeWhenUnused } from "./removal.js";
import { defaultsOf, migrated, ownInputs, schemaVersion } from "./state.js";
import { hasUnknown, knownRefusals } from "./unknowns.js";

const secondsSchema = countSchema.max(30 * 86_400, "must be at most 2592000 (30 days)");
const timeoutsSchema = z.strictObject({
  createS: secondsSchema.optional(),
  updateS: secondsSchema.optional(),
  deleteS: secondsSchema.optional(),
});

/** Inputs that every resource has beside its record's specification. */
const commonInputs = { timeouts: timeoutsSchema.optional(), managedBy: managedBySchema.optional(), autoName: nameSchema.optional() };

/** The handler of one kind of record. */
export function declaredHandler<K extends DeclaredKind>(definition: KindDefinition<K>): Handler {
  const { kind } = definition;
  const schema: z.ZodType = declaredSchemas[kind];
  const ownSchema = z.object({ ...commonInputs, ...definition.own });
  const ownKeys = new Set(Object.keys(ownSchema.shape));
  const apart = (inputs: Bag) => {
    const entries = Object.entries(ownInputs(inputs)).filter(([, value]) => value !== undefined);
    return {
      spec: Object.fromEntries(entries.filter(([key]) => !ownKeys.has(key))) as Bag,
      own: Object.fromEntries(entries.filter(([key]) => ownKeys.has(key))) as Bag,
    };
  };
  const specKeys = new Set(keysOf(schema));
  /** Of outputs: only what belongs to the specification. */
  const specOfOuts = (outs: Bag): Bag => Object.fromEntries(Object.entries(outs).filter(([key]) => specKeys.has(key)));
  /** The specification of outputs; what an older version did not know of has its default. */
  function declaredBy(outs: Bag): { readonly spec: Bag; readonly defaults: readonly string[] } {
    const raw = specOfOuts(outs);
    const parsed = schema.safeParse(raw);
    const spec = parsed.success ? (parsed.data as Bag) : raw;
    return { spec, defaults: [...new Set([...defaultsOf(outs), ...defaultsIn(spec, raw)])] };
  }
  const parse = (spec: Bag): Spec<K> => parseOrRefuse(schema, spec, `${kind} ${JSON.stringify(spec.name)}`) as Spec<K>;
  const written = (inputs: Bag): Spec<K> => {
    const { spec, own } = apart(inputs);
    const declared = parse(spec);
    return definition.written === undefined ? declared : definition.written(declared, own);
  };

  /** Outputs of what is written now, as declared by inputs. */
  function outputsOf(answer: DeclaredAnswer<K>, inputs: Bag): Record<string, unknown> {
    const { spec, own } = apart(inputs);
    const declared = parse(spec);
    return plainBag({
      ...declared,
      ...own,
      defaults: defaultsIn(declared as Bag, spec),
      generation: answer.generation,
      managedBy: answer.managedBy,
      schemaVersion,
    });
  }

  /** A record is written; whatever fails from here on must not lose it. */
  async function withObserved(context: Context, id: string, spec: Spec<K>, outs: Bag, wait: boolean): Promise<Bag> {
    try {
      return plainBag({ ...outs, ...(await definition.observe?.(context, spec, wait)) });
    } catch (caught) {
      throw new PartlyDone(id, outs, FireRunnerError.from(caught, "FR-CONFIG", `asking how ${kind} "${id}" does`));
    }
  }

  return {
    async check(olds, news, signal) {
      const { spec: given, own } = apart(news);
      const named = { ...given, ...nameFor(olds, given, own) };
      const { autoName, ...spec } = named;
      const inputs = { ...spec, ...own, ...(autoName === undefined ? {} : { autoName }) };
      const failures = [...knownRefusals(schema, spec), ...knownRefusals(ownSchema, own)];
      if (failures.length > 0) return { inputs: plainBag(inputs, "inputs"), failures };
      const parsed = schema.safeParse(spec);
      const normal = parsed.success ? (asGiven(parsed.data, spec) as Bag) : spec;
      const complete = { ...inputs, ...normal };
      const completed = (await definition.complete?.(complete, signal)) ?? { inputs: complete, failures: [] };
      return { inputs: plainBag(completed.inputs, "inputs"), failures: completed.failures };
    },

    diff(before, news) {
      const outs = migrated(before);
      const { spec, own } = apart(news);
      const parsed = schema.safeParse(spec);
      const wanted = parsed.success ? (parsed.data as Bag) : spec;
      const is = declaredBy(outs).spec;
      // Beside unknowns nothing is completed: what was not written then counts as what it was.
      const keys = parsed.success ? new Set([...Object.keys(is), ...Object.keys(wanted)]) : new Set(Object.keys(wanted));
      const changedSpec = [...keys].filter((key) => (parsed.success ? !same(is[key], wanted[key]) : differs(is[key], wanted[key])));
      const changedOwn = [...ownKeys].filter((key) => key !== "autoName" && !same(outs[key], own[key]));
      return difference(definition, { changed: [...changedSpec, ...changedOwn], is, wanted, given: spec, defaults: defaultsOf(outs) });
    },

    async create(context, inputs) {
      const spec = written(inputs);
      const answer = await writeNew(context.api, kind, spec, managerOf(inputs));
      const outs = outputsOf(answer, inputs);
      const limited = { ...context, signal: within(context.signal, timeout(inputs, "createS", 60)) };
      return { id: spec.name, outs: await withObserved(limited, spec.name, spec, outs, true) };
    },

    async read(context, id, before) {
      const answer = await getDeclared(context.api, kind, id);
      if (answer === undefined) return undefined;
      const outs = migrated(before);
      const { spec: live, own } = definition.declared?.(answer.spec, outs) ?? { spec: answer.spec, own: {} };
      // What only a newer version knows of is none of this one's business.
      const spec = specOfOuts(live as Bag);
      const { spec: known, defaults } = declaredBy(outs);
      const keptOwn = Object.fromEntries([...ownKeys].flatMap((key) => (outs[key] === undefined ? [] : [[key, outs[key]]])));
      const owned: Bag = { ...keptOwn, ...own, managedBy: answer.managedBy };
      const inputs = { ...withoutDefaults(spec, known, new Set(defaults)), ...owned };
      const now = { ...spec, ...owned, defaults, generation: answer.generation, schemaVersion };
      return {
        outs: plainBag({ ...now, ...(await definition.observe?.(context, answer.spec, false)) }),
        inputs: plainBag(inputs, "inputs"),
      };
    },

    async update(context, id, before, news) {
      const outs = migrated(before);
      const spec = written(news);
      const known = { generation: outs.generation, managedBy: managerOf(outs), spec: knownSpec(outs) };
      const answer = await writeChanged(context.api, kind, spec, managerOf(news), known);
      const limited = { ...context, signal: within(context.signal, timeout(news, "updateS", 60)) };
      return withObserved(limited, id, spec, outputsOf(answer, news), false);
    },

    async delete(context, id, before) {
      const outs = migrated(before);
      const answer = await getDeclared(context.api, kind, id);
      if (answer === undefined) return;
      refuseForeign(kind, id, answer.managedBy, [managerOf(outs)]);
      const deleteS = timeout(outs, "deleteS", definition.deleteS(answer.spec));
      await removeWhenUnused(context, { kind, name: id, whenUsed: definition.whenUsed(outs), deleteS });
    },
  };

  /** What the state believes to be written; undefined when its form is too old to tell. */
  function knownSpec(outs: Bag): Spec<K> | undefined {
    const parsed = schema.safeParse(specOfOuts(outs));
    if (!parsed.success) return undefined;
    return definition.written === undefined ? (parsed.data as Spec<K>) : definition.written(parsed.data as Spec<K>, outs);
  }
}

/** A name that was chosen automatically stays for as long as the resource lives, also when the resource is renamed. */
function nameFor(olds: Bag, spec: Bag, own: Bag): Bag {
  const chosen = olds.name !== undefined && olds.name === olds.autoName ? olds.name : own.autoName;
  if (spec.name !== undefined) return own.autoName === undefined ? {} : { autoName: own.autoName };
  return chosen === undefined ? {} : { name: chosen, autoName: chosen };
}

interface Compared {
  readonly changed: readonly string[];
  readonly is: Bag;
  readonly wanted: Bag;
  /** What the user writes now, and the paths of what was not written before. */
  readonly given: Bag;
  readonly defaults: ReadonlySet<string>;
}

function difference(
  { replacedBy, alone }: Pick<KindDefinition, "replacedBy" | "alone">,
  { changed, is, wanted, given, defaults }: Compared,
): Difference {
  const replaces = changed.filter((key) => replacedBy.includes(key));
  const was = withoutDefaults(is, is, defaults);
  const seen = (key: string) => !same(was[key], given[key]);
  return {
    changed,
    replaces,
    deleteFirst: alone || !changed.includes("name"),
    beyondInputs: changed.some((key) => key in is && key in wanted && !seen(key)),
  };
}

/** Whether a value that may hold unknowns differs from what is, as far as it was written. */
function differs(is: unknown, wanted: unknown): boolean {
  if (isBag(is) && isBag(wanted)) return Object.entries(wanted).some(([key, value]) => differs(is[key], value));
  return hasUnknown(wanted) || !same(is, wanted);
}

function keysOf(schema: z.ZodType): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

const managerOf = (bag: Bag): string | undefined => (typeof bag.managedBy === "string" ? bag.managedBy : undefined);

function timeout(bag: Bag, name: "createS" | "updateS" | "deleteS", otherwise: number): number {
  const parsed = timeoutsSchema.safeParse(bag.timeouts);
  return (parsed.success ? parsed.data[name] : undefined) ?? otherwise;
}

const within = (signal: AbortSignal, seconds: number): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]);
