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
  return new Proxy(port, {
    get(target, member) {
      const value: unknown = Reflect.get(target, member);
      if (typeof value !== "function" || typeof member !== "string") return value;
      return (...args: unknown[]) => {
        const muted = args.map((arg) => (typeof arg === "function" ? (...given: unknown[]) => tell(life, () => arg(...given)) : arg));
        if (!isCrossing(name, member)) return value.apply(target, muted);
        if (!life.alive) return new Promise(() => {});
        const outcome = fate({ port: name, call: member, about: aboutOf(member, args) });
        if (outcome === "dies-before") {
          kill(life);
          return new Promise(() => {});
        }
        const answer = value.apply(target, muted) as Promise<unknown>;
        return new Promise((resolve, reject) => {
          answer.then(
            (result) => {
              if (outcome === "dies-after" && life.alive) kill(life);
              tell(life, () => resolve(result));
            },
            (error: unknown) => {
              if (outcome === "dies-after" && life.alive) kill(life);
              tell(life, () => reject(error));
            },
          );
        });
      };
    },
  });
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
