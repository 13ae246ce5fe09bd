import { systemClock } from "../reconciler/model/clock.js";
import { errorCodes, FireRunnerError } from "../reconciler/model/errors.js";
import { type Bag, type Context, type Handler, PartlyDone } from "./handlers/handler.js";
import { hasUnknown } from "./handlers/unknowns.js";
import type { Interrupt } from "./interrupt.js";
import { fromState, type Lookup, type Settings, settingsFrom } from "./settings.js";

/** A Pulumi dynamic provider: what the engine's process for dynamic resources calls. */
export interface DynamicProvider {
  configure(request: { readonly config: { get(key: string): unknown } }): Promise<void>;
  check(olds: Bag, news: Bag): Promise<{ inputs: Bag; failures: { property: string; reason: string }[] }>;
  diff(id: string, olds: Bag, news: Bag): Promise<{ changes?: boolean; replaces: string[]; deleteBeforeReplace: boolean }>;
  create(inputs: Bag): Promise<{ id: string; outs: Bag }>;
  read(id: string, props: Bag): Promise<{ id?: string; props?: Bag; inputs?: Bag }>;
  update(id: string, olds: Bag, news: Bag): Promise<{ outs: Bag }>;
  delete(id: string, props: Bag): Promise<void>;
}

export interface AdapterOptions {
  readonly handler: Handler;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly interrupt: Interrupt;
  readonly say: (line: string) => void;
}

/** Speaks for a handler in the way of Pulumi's dynamic providers. */
export function adapt({ handler, env, interrupt, say }: AdapterOptions): DynamicProvider {
  const { signal } = interrupt;
  const told = <T>(operation: () => Promise<T>, inputs?: Bag): Promise<T> => interrupt.during(tell(operation, inputs));
  // The process hands over its configuration without waiting for an answer before the first call: so it is only kept
  // here, and read when something needs it. A preview needs none.
  let lookup: Lookup = () => undefined;
  let settings: Settings | undefined;
  function context(): Context {
    settings ??= settingsFrom(lookup, env);
    return { api: { ...settings, signal }, clock: systemClock, signal, say };
  }

  return {
    async configure({ config }) {
      lookup = (key) => config.get(key);
      settings = undefined;
    },

    check: (olds, news) =>
      told(async () => {
        const { inputs, failures } = await handler.check(olds, news, signal);
        return { inputs, failures: failures.map(({ field, message }) => ({ property: field, reason: message })) };
      }),

    diff: (_id, olds, news) =>
      told(async () => {
        const { changed, replaces, deleteFirst, beyondInputs } = handler.diff(olds, news);
        // Where the inputs show the change, the engine finds it itself and names the fields.
        const shown = changed.length > 0 && (!beyondInputs || hasUnknown(news)) ? {} : { changes: changed.length > 0 };
        return { ...shown, replaces: [...replaces], deleteBeforeReplace: replaces.length > 0 && deleteFirst };
      }),

    create: (inputs) => told(() => handler.create(context(), inputs), inputs),

    read: (id, props) =>
      told(async () => {
        const found = await handler.read(context(), id, props);
        return found === undefined ? {} : { id, props: { ...found.outs }, inputs: { ...found.inputs } };
      }),

    update: (id, olds, news) => told(async () => ({ outs: await handler.update(context(), id, olds, news) }), news),

    delete: (id, props) => told(() => handler.delete(context(), id, props)),
  };
}

/** Runs an operation; what fails is told with its code and without a stack, and what was half done is kept with its loader. */
async function tell<T>(operation: () => Promise<T>, inputs: Bag = {}): Promise<T> {
  try {
    return await operation();
  } catch (caught) {
    const partly = caught instanceof PartlyDone ? caught : undefined;
    const error = FireRunnerError.from(partly?.cause ?? caught, "FR-INTERNAL", "the operation");
    const shown = new Error(`${error.code}: ${error.message}${hints[error.code] ?? ""}`, { cause: error });
    // The process prints name, message and stack; a stack says nothing to whoever runs Pulumi, the meaning of the code does.
    shown.name = "";
    shown.stack = error.code === "FR-INTERNAL" ? (error.stack ?? "") : errorCodes[error.code];
    if (partly === undefined) throw shown;
    // Without its loader a state could not be refreshed or removed any more.
    const properties = { ...partly.outs, __provider: inputs.__provider };
    throw Object.assign(shown, { id: partly.id, properties, reasons: [shown.message] });
  }
}

const hints: Readonly<Record<string, string>> = {
  "FR-UNAUTHORIZED": `; set the right one with \`pulumi config set --secret firerunner:token\`, then run \`pulumi up\`: ${fromState}`,
};
