import { startStubGitLab } from "./gitlab.js";
import { type GuestTimes, runGuest } from "./guest.js";
import { type SentHook, sendAtOnce, sendSteadily } from "./hook-sender.js";
import { type ArrivedCreate, startStubHost } from "./host.js";
import type { HookTarget } from "./job-hook.js";

/** What a bench may ask of the process that plays the outside. All times are milliseconds of that process's clock. */
export interface OutsideCalls {
  sendSteadily(target: HookTarget, jobIds: readonly number[], perSecond: number): Promise<readonly SentHook[]>;
  sendAtOnce(target: HookTarget, jobIds: readonly number[], connections: number): Promise<readonly SentHook[]>;
  /** From now on GitLab's REST API answers only after so many milliseconds. */
  holdRest(ms: number): Promise<void>;
  /** How many Creates have arrived. */
  createCount(): Promise<number>;
  seen(): Promise<Seen>;
}

/** What came in so far. */
interface Seen {
  readonly creates: readonly Omit<ArrivedCreate, "bootData">[];
  /** When each job was read first. */
  readonly readAt: ReadonlyMap<number, number>;
  /** When each microVM's runner had been made. */
  readonly runnerMadeAt: ReadonlyMap<string, number>;
  readonly guests: readonly GuestTimes[];
}

/** Where the outside is found, once it is up. */
export interface OutsideAddresses {
  readonly gitlabUrl: string;
  readonly hostEndpoints: readonly string[];
}

/** How the outside is made: so many hosts, and microVMs with or without guests that claim them. */
export interface OutsideOptions {
  readonly hosts: number;
  readonly guests: boolean;
}

/** Starts a GitLab, hosts and guests in this process. */
export async function startOutside({ hosts, guests }: OutsideOptions): Promise<{ addresses: OutsideAddresses; calls: OutsideCalls }> {
  const creates: Omit<ArrivedCreate, "bootData">[] = [];
  const guestTimes: GuestTimes[] = [];
  const gitlab = await startStubGitLab();
  const arrived = ({ bootData, ...create }: ArrivedCreate): void => {
    creates.push(create);
    // A guest whose service ends has nothing left to say.
    if (guests) runGuest(bootData, (times) => guestTimes.push(times)).catch(() => undefined);
  };
  const started = await Promise.all(Array.from({ length: hosts }, (_, n) => startStubHost(`host-${n}`, arrived)));
  return {
    addresses: { gitlabUrl: gitlab.url, hostEndpoints: started.map(({ endpoint }) => endpoint) },
    calls: {
      sendSteadily: (target, jobIds, perSecond) => sendSteadily({ target, onSend: gitlab.addJob }, jobIds, perSecond),
      sendAtOnce: (target, jobIds, connections) => sendAtOnce({ target, onSend: gitlab.addJob }, jobIds, connections),
      holdRest: async (ms) => gitlab.hold(ms),
      createCount: async () => creates.length,
      seen: async () => ({ creates, readAt: gitlab.readAt, runnerMadeAt: gitlab.runnerMadeAt, guests: guestTimes }),
    },
  };
}
