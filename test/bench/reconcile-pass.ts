import { randomBytes } from "node:crypto";
import { observe } from "../../reconciler/control/observe.js";
import { SoftState } from "../../reconciler/control/soft-state.js";
import type { GuestPort } from "../../reconciler/guest/port.js";
import type { Clock, Random } from "../../reconciler/model/clock.js";
import { jobKey } from "../../reconciler/model/job.js";
import { type Kind, kinds } from "../../reconciler/model/records.js";
import type { Plan } from "../../reconciler/plan/draft.js";
import { plan } from "../../reconciler/plan/plan.js";
import { createMemoryStore } from "../../reconciler/store/memory/memory-store.js";
import type { Store, Stored } from "../../reconciler/store/port.js";
import { type Bench, type Figure, quantile, type RunOptions } from "./figure.js";
import { type FleetShape, largeFleet, owner, waitingJob } from "./large-fleet.js";

const now = 1_770_000_000_000;
const clock: Clock = { now: () => now, after: () => () => {} };
const random: Random = { next: Math.random, hex: (bytes) => randomBytes(bytes).toString("hex") };

/** One pass of the loop over a large fleet: everything is observed and planned; nothing is written or sent. */
export const reconcilePass: Bench = {
  name: "reconcile-pass",
  about: "observe and plan with 10,000 microVMs on 100 hosts and 5,000 waiting jobs, in a memory store",
  async run({ smoke }: RunOptions): Promise<readonly Figure[]> {
    const passes = smoke ? 3 : 30;
    const copiesMade = smoke ? 1 : 10;
    const settled = await world({ busy: 5_000, onTheirWay: 5_000, uncovered: 0 });
    const flooded = await world({ busy: 10_000, onTheirWay: 0, uncovered: 5_000 });
    const nothing = await timePasses(settled, passes, expectQuiet);
    const oneJob = await timePasses(settled, passes, expectWork, async (n) => {
      const job = waitingJob(100_000 + n, now, false);
      await settled.store.commit({ writes: [{ kind: "job", key: jobKey(job), value: job, expect: "absent" }] });
      return async () => {
        await settled.store.commit({ writes: [{ kind: "job", key: jobKey(job), value: null, expect: "any" }] });
      };
    });
    const flood = await timePasses(flooded, passes, expectWork);
    const records = kinds.map((kind) => settled.store.list(kind));
    const copies = [
      ...told("JSON copy of the same records", await timed(copiesMade, () => void JSON.parse(JSON.stringify(records)))),
      ...told("structuredClone of the same records", await timed(copiesMade, () => void structuredClone(records))),
      ...told("one Map of each kind of the same records", await timed(copiesMade, () => void records.map(mapped))),
    ];
    return [
      ...told("nothing to do: every waiting job has its microVM", nothing),
      ...told("one more job has come", oneJob),
      ...told("5,000 jobs have come at once, 10,000 microVMs busy", flood),
      ...copies.map((figure) => ({ ...figure, floor: true as const })),
    ];
  },
};

interface PassWorld {
  readonly store: Store;
  pass(): Plan;
}

async function world(shape: FleetShape): Promise<PassWorld> {
  const { writes, shown } = largeFleet(shape, now);
  const store = createMemoryStore({ clock, random });
  const { outcome } = await store.commit({ writes });
  if (outcome !== "committed") throw new Error(`the fleet was not committed: ${outcome}`);
  const soft = new SoftState();
  for (const [host, microvms] of shown) soft.noteHost(host, now - 1_000, now - 990, microvms);
  const spec = store.get("connection", "harbour")?.value.spec;
  if (spec === undefined) throw new Error("the fleet has no connection");
  soft.noteForgeRead(spec.name, { readAt: now - 1_000, polledAt: now - 1_000, sweptAt: now - 1_000, checked: { at: now - 1_000, spec } });
  const guest: GuestPort = { bootMetadata: () => ({}), readMark: () => undefined, lastHeardAt: () => now - 5_000 };
  const schedules = { pollMs: 10_000, pollHealthyMs: 60_000, listHostsMs: 10_000, sweepMs: 60_000, settleMs: 5_000 };
  const from = { store, soft, guest, clock, random, owner, listeningSince: now - 3_600_000, schedules };
  // What is judged of hosts is written once; from then on it stands.
  const conditions = plan(observe(from)).decisions.flatMap((decided) =>
    decided.kind === "condition" && decided.value !== null ? [{ ...decided, value: decided.value, expect: "absent" } as const] : [],
  );
  await store.commit({ writes: conditions });
  return { store, pass: () => plan(observe(from)) };
}

/** Times passes, each after `before` has changed something, which the function that it gives takes back. */
async function timePasses(
  { pass }: PassWorld,
  count: number,
  check: (plan: Plan) => void,
  before: (n: number) => Promise<() => Promise<void>> = async () => async () => {},
): Promise<Timed> {
  let decided: Plan | undefined;
  let undo = async () => {};
  return timed(
    count,
    () => {
      decided = pass();
    },
    async (n) => {
      undo = await before(n);
    },
    async () => {
      if (decided !== undefined) check(decided);
      await undo();
    },
  );
}

function expectQuiet({ decisions, effects }: Plan): void {
  if (decisions.length + effects.length > 0) {
    throw new Error(`the settled fleet is not settled: ${JSON.stringify([...decisions.slice(0, 2), ...effects.slice(0, 2)])}`);
  }
}

function expectWork({ effects }: Plan): void {
  if (!effects.some(({ kind }) => kind === "createOnHost")) throw new Error("the waiting jobs were given no microVM");
}

/** How long each of several acts took, and the processor time that all of them took, garbage collection included. */
interface Timed {
  readonly ms: readonly number[];
  readonly processorMs: number;
}

/** Times `act` alone; what is done before and after it does not count. */
async function timed(
  count: number,
  act: () => void,
  before: (n: number) => Promise<void> = async () => {},
  after: () => Promise<void> = async () => {},
): Promise<Timed> {
  const taken: number[] = [];
  let processorMs = 0;
  for (let n = 0; n < count; n++) {
    await before(n);
    const cpu = process.cpuUsage();
    const beganAt = performance.now();
    act();
    taken.push(performance.now() - beganAt);
    const { user, system } = process.cpuUsage(cpu);
    processorMs += (user + system) / 1_000;
    await after();
  }
  return { ms: taken, processorMs };
}

const mapped = (list: readonly Stored<Kind>[]) => new Map(list.map(({ key, value }) => [key, value]));

/** On a machine that others use too, the processor time says more than the clock. */
const told = (name: string, { ms, processorMs }: Timed): readonly Figure[] => [
  { name, value: quantile(ms, 0.5), unit: "ms" },
  { name: `${name}, processor time`, value: processorMs / ms.length, unit: "ms" },
];
