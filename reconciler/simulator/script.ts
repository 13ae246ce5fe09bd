import type { PoolInput } from "../model/pool.js";
import { calm, type Dials, faults, someFaults } from "./dials.js";
import { type SimulatedFleet, simulatedConnection, simulatedHost, simulatedImage, simulatedPool } from "./fleet.js";
import type { Origin } from "./forge-workings.js";
import { SeededRandom } from "./seeded-random.js";
import type { ForgeCall } from "./simulated-forge.js";
import type { HostCall } from "./simulated-hosts.js";

const minute = 60_000;

/** One thing that happens in a simulated world at a time, in ms since its beginning. */
export type Step = { readonly atMs: number } & (
  | {
      readonly kind: "push";
      readonly tags: readonly string[];
      readonly durationMs: number;
      readonly outcome: "success" | "failed";
      readonly origin?: Origin;
      readonly cancelAfterMs?: number;
    }
  | { readonly kind: "cutOffHost" | "wedgeHost" | "isolateGuests"; readonly host: string; readonly forMs: number }
  | { readonly kind: "cutOffForge" | "freeze" | "splitBrain"; readonly forMs: number }
  | { readonly kind: "startAnother" | "restart" | "crash" | "loseStore" | "loseLead" | "deleteRunner" }
  | { readonly kind: "failOver"; readonly lost: number }
  | { readonly kind: "setClock"; readonly byMs: number }
  | { readonly kind: "setForgeClock"; readonly aheadMs: number }
  | { readonly kind: "failHostCall"; readonly call: HostCall; readonly forMs: number }
  | { readonly kind: "failForgeCall"; readonly call: ForgeCall; readonly forMs: number }
  | { readonly kind: "limitRunners"; readonly to: number }
  | { readonly kind: "operate"; readonly host: string; readonly what: "cordon" | "drain" | "forget"; readonly deadlineAfterMs?: number }
);

/** Everything that one seed decides: what is declared, what fails how often, and what happens when. */
export interface Script {
  readonly seed: number;
  readonly fleet: SimulatedFleet;
  readonly dials: Dials;
  /** By name; the kind and a number. */
  readonly steps: ReadonlyMap<string, Step>;
  /** Whether the lead is that of a store which replicas share: short, and soon another's. */
  readonly isShared: boolean;
  /** After so long the faults stop. */
  readonly stormMs: number;
}

/** For each so many jobs there is as much room again: they are to run while everything fails, and not to wait until nothing does. */
const jobsPerScale = 25;

/** The script of a seed, with so many jobs, or as few as the seed wants. */
export function scriptOf(seed: number, jobs?: number): Script {
  const random = SeededRandom.named(seed, "script");
  const pushes = jobs ?? random.between(2, 12);
  // More jobs take longer, and as much more happens meanwhile.
  const windowMs = Math.max(minute, pushes * 3_000);
  const steps = new Map<string, Step>();
  const counts = new Map<string, number>();
  const add = (step: Step) => {
    const n = (counts.get(step.kind) ?? 0) + 1;
    counts.set(step.kind, n);
    steps.set(`${step.kind}.${n}`, step);
  };
  const scale = Math.max(1, Math.round(pushes / jobsPerScale));
  const fleet = someFleet(random, scale);
  for (let n = 0; n < pushes; n++) add(somePush(random, windowMs));
  for (let atMs = 0; atMs + minute <= windowMs; atMs += minute) addTroubles(random, fleet, scale, atMs, add);
  addRarities(SeededRandom.named(seed, "rarities"), windowMs, add);
  // What fails for hours is to be over when the faults stop.
  const ends = [...steps.values()].map((step) => step.atMs + ("call" in step ? step.forMs : 0));
  const stormMs = Math.max(windowMs, ...ends) + 30_000;
  return { seed, fleet, dials: someFaults(random), steps, isShared: random.chance(0.25), stormMs };
}

/** The same script with some of its faults and steps alone, by their names. */
export function only(script: Script, names: ReadonlySet<string>): Script {
  const dials = { ...script.dials };
  for (const fault of faults) if (!names.has(fault)) dials[fault] = calm[fault];
  return { ...script, dials, steps: new Map([...script.steps].filter(([name]) => names.has(name))) };
}

/** What of a script may be left out: its faults and its steps. */
export const partsOf = ({ dials, steps }: Script): readonly string[] => [...faults.filter((fault) => dials[fault] > 0), ...steps.keys()];

function someFleet(random: SeededRandom, scale: number): SimulatedFleet {
  const widerBy = Math.ceil(Math.log2(scale));
  const hosts = Array.from({ length: random.between(1, 3) }, (_, n) =>
    simulatedHost({
      name: `host-${n}`,
      capacity: { vcpu: 8 * scale, memoryMb: 8192 * scale, microvms: random.between(2, 6) * scale },
      network: random.chance(0.7)
        ? { mode: "static", subnet: `10.20.${n}.0/${random.pick([28, 29]) - widerBy}`, gateway: `10.20.${n}.1` }
        : { mode: "dhcp" },
    }),
  );
  const onVmLoss = random.pick(["report", "cancel", "cancel-and-retry", "cancel-and-retry"] as const);
  const limits = { maxJobTimeoutS: 300, bootTimeoutS: 60, idleTimeS: 20, onVmLoss };
  const pools = [
    simulatedPool({
      ...limits,
      maxMicrovms: random.between(1, 6) * scale,
      minIdle: random.between(0, 1),
      limits: { vcpu: 2, memoryMb: 4096 },
      ...someRules(random, scale),
    }),
    simulatedPool({ ...limits, name: "other", tags: ["other"], maxMicrovms: random.between(1, 3) * scale, priority: 1 }),
    simulatedPool({
      ...limits,
      name: "guarded",
      tags: ["guarded"],
      maxMicrovms: 2 * scale,
      accessLevel: "ref_protected",
      projectIds: [7, 8],
    }),
    simulatedPool({ ...limits, name: "unguarded", tags: ["guarded"], maxMicrovms: 2 * scale, maxMicrovmsPerProject: scale }),
  ];
  return { hosts, images: [simulatedImage()], connection: simulatedConnection(), pools };
}

/** Sometimes what is kept ready changes every few minutes, or follows what is in use, and projects have quotas. */
function someRules(random: SeededRandom, scale: number): Partial<PoolInput> {
  const idlePolicies = [{ periods: ["*/3 * * * *"], timezone: "Asia/Kolkata", minIdle: random.between(0, 1), idleTimeS: 5 }];
  return {
    ...(random.chance(0.3) ? { idlePolicies } : {}),
    ...(random.chance(0.3) ? { scaleFactor: 0.5, scaleFactorLimit: 2 } : {}),
    ...(random.chance(0.3) ? { maxMicrovmsPerProject: random.between(1, 2) * scale } : {}),
  };
}

/** Some jobs come of protected refs and of others, which two pools share. */
function somePush(random: SeededRandom, windowMs: number): Step {
  const ofRef = random.chance(0.15);
  const tags = ofRef
    ? random.pick([["guarded"], ["guarded"], ["vm"]])
    : random.pick([["vm"], ["vm", "large"], ["vm", "small"], ["other"], ["vm", "2cpu-2gb"]]);
  const ref = random.pick([
    { ref: "main", refIsTag: false },
    { ref: "feature", refIsTag: false },
    { ref: "v1", refIsTag: true },
  ]);
  return {
    kind: "push",
    atMs: random.between(0, windowMs),
    tags,
    durationMs: ofRef ? 2_000 : random.pick([200, 2_000, 10_000, 40_000]),
    outcome: ofRef || random.chance(0.8) ? "success" : "failed",
    ...(ofRef ? { origin: { projectId: random.pick([7, 8]), ...ref } } : {}),
    ...(random.chance(0.1) ? { cancelAfterMs: random.between(0, 20_000) } : {}),
  };
}

/** What goes wrong for long: a forge whose clock is another by minutes or years, and calls of one kind that fail until they are set aside. */
function addRarities(random: SeededRandom, windowMs: number, add: (step: Step) => void): void {
  const sometime = () => random.between(0, windowMs);
  if (random.chance(0.1)) {
    const aheadMs = random.pick([-1, 1]) * random.pick([random.between(1_000, 10 * minute), 26 * 60 * minute, 400 * 24 * 60 * minute]);
    add({ kind: "setForgeClock", atMs: random.pick([0, sometime()]), aheadMs });
  }
  const far = [60 * minute, 26 * 60 * minute, 400 * 24 * 60 * minute] as const;
  if (random.chance(0.04)) add({ kind: "setClock", atMs: sometime(), byMs: random.pick([-1, 1]) * random.pick(far) });
  if (!random.chance(0.04)) return;
  const forMs = (random.chance(0.2) ? random.between(65, 130) : random.between(6, 20)) * minute;
  if (random.chance(0.3)) add({ kind: "failHostCall", atMs: sometime(), call: random.pick(["create", "get", "delete", "list"]), forMs });
  else add({ kind: "failForgeCall", atMs: sometime(), call: random.pick(longFailing), forMs });
}

const longFailing = [
  ...(["readJob", "activeJobs", "cancelJob", "retryJob", "makeRunner", "findRunners", "readRunner"] as const),
  ...(["showRunner", "pauseRunner", "unpauseRunner", "runningJobs", "deleteRunner"] as const),
] as const satisfies readonly ForgeCall[];

/** What goes wrong as a whole within one minute, now and then. */
function addTroubles(random: SeededRandom, { hosts }: SimulatedFleet, scale: number, fromMs: number, add: (step: Step) => void): void {
  const sometime = () => fromMs + random.between(0, minute);
  const awhile = () => random.between(1_000, 90_000);
  for (const { name: host } of hosts) {
    if (random.chance(0.2)) add({ kind: "cutOffHost", atMs: sometime(), host, forMs: awhile() });
    if (random.chance(0.05)) add({ kind: "wedgeHost", atMs: sometime(), host, forMs: awhile() });
    if (random.chance(0.1)) add({ kind: "isolateGuests", atMs: sometime(), host, forMs: random.between(1_000, 40_000) });
    if (!random.chance(0.3)) continue;
    const what = random.pick(["cordon", "drain", "drain", "forget"] as const);
    const deadline = what === "drain" && random.chance(0.7) ? { deadlineAfterMs: random.between(0, 20_000) } : {};
    add({ kind: "operate", atMs: sometime(), host, what, ...deadline });
  }
  if (random.chance(0.2)) add({ kind: "cutOffForge", atMs: sometime(), forMs: awhile() });
  if (random.chance(0.2)) add({ kind: "startAnother", atMs: fromMs });
  if (random.chance(0.1)) add({ kind: "restart", atMs: sometime() });
  if (random.chance(0.1)) add({ kind: "loseStore", atMs: fromMs + random.between(20_000, minute) });
  if (random.chance(0.15)) add({ kind: "failOver", atMs: sometime(), lost: random.between(1, 20) });
  if (random.chance(0.1)) add({ kind: "loseLead", atMs: sometime() });
  for (let n = random.chance(0.4) ? random.between(1, 3) : 0; n > 0; n--) add({ kind: "crash", atMs: sometime() });
  if (random.chance(0.1)) add({ kind: "freeze", atMs: sometime(), forMs: random.between(1_000, minute) });
  if (random.chance(0.15)) add({ kind: "splitBrain", atMs: sometime(), forMs: random.between(20_000, 80_000) });
  if (random.chance(0.15)) add({ kind: "setClock", atMs: sometime(), byMs: random.pick([-1, 1]) * random.between(100, 3 * minute) });
  if (random.chance(0.2)) add({ kind: "limitRunners", atMs: sometime(), to: random.between(1, 5) * scale });
  for (let n = random.chance(0.2) ? random.between(1, 3) : 0; n > 0; n--) add({ kind: "deleteRunner", atMs: sometime() });
}
