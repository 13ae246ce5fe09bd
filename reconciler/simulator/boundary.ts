/** The ports through which a process reaches what outlives it. */
export type PortName = "store" | "forge" | "flintlock";

/** One call across the boundary of a process. */
export interface Crossing {
  readonly port: PortName;
  readonly call: string;
  /** For commits what they write, so that a list of crossings can be read. */
  readonly about: string;
}

/** What becomes of a process at a crossing: it may die before the call is made, or after it had its effect and before its answer came. */
export type Fate = "lives" | "dies-before" | "dies-after";

/** Whether a process lives, and whether it gets any turns. */
export interface Life {
  alive: boolean;
  /** While it stands still: what it would have been told meanwhile, and is told when it goes on. */
  held: (() => void)[] | undefined;
  /** It was told to end: it decides nothing any more, and finishes what it has begun. */
  stopping: boolean;
  /** What guests and webhooks wait for that called it: told when it dies. */
  readonly callers: Set<() => void>;
}

export const newLife = (): Life => ({ alive: true, held: undefined, stopping: false, callers: new Set() });

/** Ends a process from one moment to the next: its callers see their connections break. */
export function kill(life: Life): void {
  life.alive = false;
  for (const hangUp of life.callers) hangUp();
  life.callers.clear();
}

/** Calls back into a process: at once, when it goes on, or never when it is dead. */
export function tell(life: Readonly<Life>, callback: () => void): void {
  if (!life.alive) return;
  if (life.held === undefined) callback();
  else life.held.push(callback);
}

/** What is no call to the other side: it changes nothing there and is answered at once. */
const local: ReadonlySet<string> = new Set(["get", "list", "count", "events", "ready", "watch", "keepOnly"]);
const isCrossing = (port: PortName, call: string): boolean => !(local.has(call) && (port === "store" || call === "keepOnly"));

/**
 * A port as one process sees it: every call that leaves the process is asked about first, and no answer and no callback reaches a
 * process that is dead. What a process awaits in between its crossings nobody else can see: to die there is to die at the next one.
 */
export function boundary<P extends object>(name: PortName, port: P, life: Life, fate: (crossing: Crossing) => Fate): P {
  const known = new Map<string, Called>();
  return new Proxy(port, {
    get(target, member) {
      if (typeof member !== "string") return Reflect.get(target, member);
      const made = known.get(member);
      if (made !== undefined) return made;
      const value: unknown = Reflect.get(target, member);
      if (typeof value !== "function") return value;
      // What a test puts in a call's place is called from then on.
      const call: Called = (...args) => (Reflect.get(target, member) as Called).apply(target, args);
      const wrapped = isCrossing(name, member) ? crossing({ port: name, call: member }, call, life, fate) : listening(call, life);
      known.set(member, wrapped);
      return wrapped;
    },
  });
}

type Called = (...args: unknown[]) => unknown;

/** A call whose callbacks, if it is given any, are told as long as the process lives. */
function listening(call: Called, life: Life): Called {
  const muted = (arg: unknown) => (typeof arg === "function" ? (...given: unknown[]) => tell(life, () => arg(...given)) : arg);
  return (...args) => (args.some((arg) => typeof arg === "function") ? call(...args.map(muted)) : call(...args));
}

function crossing(what: Omit<Crossing, "about">, made: Called, life: Life, fate: (crossing: Crossing) => Fate): Called {
  const call = listening(made, life);
  return (...args) => {
    if (!life.alive) return new Promise(() => {});
    const outcome = fate({
      ...what,
      // Hardly anybody asks.
      get about() {
        return aboutOf(what.call, args);
      },
    });
    if (outcome === "dies-before") {
      kill(life);
      return new Promise(() => {});
    }
    const answer = call(...args) as Promise<unknown>;
    return new Promise((resolve, reject) => {
      const die = () => {
        if (outcome === "dies-after" && life.alive) kill(life);
      };
      answer.then(
        (result) => {
          die();
          tell(life, () => resolve(result));
        },
        (error: unknown) => {
          die();
          tell(life, () => reject(error));
        },
      );
    });
  };
}

function aboutOf(call: string, [first]: readonly unknown[]): string {
  if (call !== "commit" || typeof first !== "object" || first === null || !("writes" in first)) return "";
  const writes = first.writes as readonly {
    readonly kind: string;
    readonly value: { readonly phase?: string; readonly state?: string } | null;
  }[];
  return writes.map(({ kind, value }) => (value === null ? `-${kind}` : `${kind}${suffix(value.phase ?? value.state)}`)).join(" ");
}

const suffix = (text: string | undefined): string => (text === undefined ? "" : `:${text}`);
