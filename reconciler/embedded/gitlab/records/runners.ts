import type { Clock, Random } from "../../../model/clock.js";
import type { Runner, RunnerManager } from "./runner.js";

/** What may be said of a runner when it is made or changed. */
export type RunnerSettings = Pick<
  Runner,
  "description" | "maintenanceNote" | "tags" | "runUntagged" | "locked" | "accessLevel" | "paused" | "maximumTimeoutS"
>;

type ManagerInfo = Partial<Pick<RunnerManager, "version" | "revision" | "platform" | "architecture">>;

/** The runners, in memory. */
export interface Runners {
  /** In the order of their ids. */
  all(): readonly Runner[];
  find(id: number): Runner | undefined;
  byToken(token: string): Runner | undefined;
  add(made: Pick<Runner, "type" | "scope" | "creator"> & RunnerSettings): Runner;
  change(id: number, change: Partial<RunnerSettings & Pick<Runner, "alsoProjectIds">>): Runner | undefined;
  /** Gives the runner a new token; the old one is void at once. */
  renewToken(id: number): Runner | undefined;
  remove(id: number): void;
  /** Notes a manager of the runner; `asked` when it asked for a job, which is what makes a runner online. */
  seen(id: number, systemId: string, info: ManagerInfo, asked: boolean): void;
  /** Notes that the runner told of a job of its manager: it is online, whether or not it asks for more. */
  heard(id: number, systemId: string): void;
  removeManager(id: number, systemId: string): boolean;
  /** Calls back when what a runner may take can have changed. */
  onChange(listener: () => void): void;
}

/** Managers of one runner beyond this many are forgotten, the longest silent first. */
const maxManagers = 200;

export function createRunners(clock: Pick<Clock, "now">, random: Random): Runners {
  const runners = new Map<number, Runner>();
  const ids = new Map<string, number>();
  const listeners = new Set<() => void>();
  let lastId = 0;
  let lastManagerId = 0;

  const newToken = (): string => `glrt-${Buffer.from(random.hex(15), "hex").toString("base64url")}`;
  const changed = () => {
    for (const listener of listeners) listener();
  };

  return {
    all: () => [...runners.values()],
    find: (id) => runners.get(id),
    byToken: (token) => runners.get(ids.get(token) ?? 0),
    add(made) {
      lastId += 1;
      const fresh = { id: lastId, token: newToken(), createdAt: clock.now(), contactedAt: undefined };
      const runner: Runner = { ...made, ...fresh, alsoProjectIds: [], managers: [] };
      runners.set(runner.id, runner);
      ids.set(runner.token, runner.id);
      return runner;
    },
    change(id, change) {
      const runner = runners.get(id);
      if (runner === undefined) return undefined;
      const after = { ...runner, ...change };
      runners.set(id, after);
      changed();
      return after;
    },
    renewToken(id) {
      const runner = runners.get(id);
      if (runner === undefined) return undefined;
      const after = { ...runner, token: newToken() };
      ids.delete(runner.token);
      ids.set(after.token, id);
      runners.set(id, after);
      changed();
      return after;
    },
    remove(id) {
      ids.delete(runners.get(id)?.token ?? "");
      runners.delete(id);
      changed();
    },
    seen(id, systemId, info, asked) {
      const runner = runners.get(id);
      if (runner === undefined) return;
      const now = clock.now();
      const known = runner.managers.find((manager) => manager.systemId === systemId);
      if (known === undefined) lastManagerId += 1;
      const manager: RunnerManager = {
        id: known?.id ?? lastManagerId,
        systemId,
        version: info.version ?? known?.version,
        revision: info.revision ?? known?.revision,
        platform: info.platform ?? known?.platform,
        architecture: info.architecture ?? known?.architecture,
        createdAt: known?.createdAt ?? now,
        contactedAt: asked ? now : known?.contactedAt,
      };
      const managers = [manager, ...runner.managers.filter((other) => other.systemId !== systemId)].slice(0, maxManagers);
      runners.set(id, { ...runner, managers, contactedAt: asked ? now : runner.contactedAt });
    },
    heard(id, systemId) {
      const runner = runners.get(id);
      if (runner === undefined) return;
      const contactedAt = clock.now();
      const managers = runner.managers.map((manager) => (manager.systemId === systemId ? { ...manager, contactedAt } : manager));
      runners.set(id, { ...runner, managers, contactedAt });
    },
    removeManager(id, systemId) {
      const runner = runners.get(id);
      const managers = runner?.managers.filter((manager) => manager.systemId !== systemId) ?? [];
      if (runner === undefined || managers.length === runner.managers.length) return false;
      runners.set(id, { ...runner, managers });
      return true;
    },
    onChange: (listener) => void listeners.add(listener),
  };
}
