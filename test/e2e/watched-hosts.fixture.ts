import { realpathSync } from "node:fs";
import { join } from "node:path";
import { systemRandom } from "../../reconciler/control/random.js";
import type { VmDriver } from "../../reconciler/embedded/host/driver.js";
import { createProcessDriver } from "../../reconciler/embedded/host/process-driver.js";
import { type EmbeddedHost, startEmbeddedHost } from "../../reconciler/embedded/host/start-embedded-host.js";
import { systemClock } from "../../reconciler/model/clock.js";

/** Embedded hosts, and what was seen on them over time. */
export interface WatchedHosts {
  /** `HOST:PORT` of each. */
  readonly addresses: readonly string[];
  /** The names of the microVMs that the hosts show now. */
  shown(): readonly string[];
  /** The names of all microVMs that there ever were. */
  names(): ReadonlySet<string>;
  /** How many there were at most at one time, those that were being removed aside. */
  most(): number;
  /** How many lived at most at one time. */
  mostAlive(): number;
  stop(): Promise<void>;
}

const lookEveryMs = 10;

/** Starts hosts that run every microVM as processes below `directory`. */
export async function startWatchedHosts(directory: string, count: number): Promise<WatchedHosts> {
  const hosts: EmbeddedHost[] = [];
  const names = new Set<string>();
  let most = 0;
  let mostAlive = 0;

  function look(): void {
    const microvms = hosts.flatMap((host) => host.microvms());
    for (const { name } of microvms) names.add(name);
    most = Math.max(most, microvms.filter(({ state }) => state !== "deleting").length);
    mostAlive = Math.max(mostAlive, microvms.filter(({ running }) => running).length);
  }

  /** Looks at the moment at which something begins to be, not only now and then. */
  const watched = (driver: VmDriver): VmDriver => ({
    start: () => driver.start(),
    async create(vm) {
      names.add(vm.spec.id);
      await driver.create(vm);
      look();
    },
    isRunning: (uid) => driver.isRunning(uid),
    powerOff: (uid) => driver.powerOff(uid),
    destroy: (uid) => driver.destroy(uid),
    stop: () => driver.stop(),
  });

  const timer = setInterval(look, lookEveryMs);
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    await Promise.all(hosts.splice(0).map((host) => host.stop()));
  };
  try {
    for (let n = 1; n <= count; n += 1) {
      const driver = watched(createProcessDriver({ directory: join(realpathSync(directory), `host-${n}`), random: systemRandom }));
      const timings = { buildMs: 20, removeMs: 20 };
      hosts.push(await startEmbeddedHost({ listen: "127.0.0.1:0", driver, clock: systemClock, random: systemRandom, timings }));
    }
  } catch (caught) {
    await stop();
    throw caught;
  }
  return {
    addresses: hosts.map(({ address }) => address),
    shown: () => hosts.flatMap((host) => host.microvms().map(({ name }) => name)),
    names: () => names,
    most: () => most,
    mostAlive: () => mostAlive,
    stop,
  };
}
