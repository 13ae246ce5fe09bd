import { runnerDescription } from "../model/identity.js";
import { sameTraits } from "../model/matches.js";
import type { Pool } from "../model/pool.js";
import { type Presence, presenceClass, presenceName } from "../model/presence.js";
import { classKey, classTraits, type RunnerClass } from "../model/runner-class.js";
import { sizeOf } from "../model/size-tag.js";
import type { Draft } from "./draft.js";
import type { PresenceStep } from "./effect.js";
import { isStale } from "./look.js";
import { mayMakeRunner } from "./runner-limit.js";

/** How long a job waits before its class gets a presence runner: most are served sooner, and one for each would be calls for nothing. */
const waitsLongMs = 300_000;
/** How long a presence runner is kept when nothing needs it any more. */
const keptMs = 600_000;
/** How often the forge hears a presence runner. Why that is often enough stands with GitLab's `showRunner`. */
const hearEveryMs = 2_700_000;
/** What whoever led before asked of the forge has been answered or given up by then. */
const lateCallMs = 15_000;
/** How many presence runners one plan makes at most. */
const newPerPlan = 64;

/**
 * Keeps a presence runner for each class whose jobs have waited long, or that keeps idle microVMs: a forge gives up jobs for
 * which it sees no runner, and neither a microVM that idles nor a job that waits for room has one. A runner per waiting job
 * would cost calls for nothing, so jobs that are served soon get none. It never counts as supply, and never takes a job: it
 * is heard only while the forge has confirmed that it is paused.
 */
export function choosePresences(draft: Draft): void {
  const needed = neededClasses(draft);
  for (const presence of draft.presences.values()) {
    if (presence.state === "leaving") continue;
    const key = presenceClass(presence);
    if (isOutdated(draft, presence)) draft.putPresence(leaving(presence));
    else if (!needed.has(key)) release(draft, presence);
    else if (presence.unneededSince !== undefined) draft.putPresence(kept(presence));
    if (draft.presences.get(presence.name)?.state !== "leaving") needed.delete(key);
  }
  let made = 0;
  for (const runnerClass of needed.values()) {
    if (made >= newPerPlan) {
      draft.again();
      break;
    }
    made += make(draft, runnerClass) ? 1 : 0;
  }
}

/** Takes every presence runner one step further. */
export function tendPresences(draft: Draft): void {
  for (const presence of draft.presences.values()) stepOn(draft, presence);
}

function isUnread(draft: Draft, connection: string): boolean {
  const view = draft.connections.get(connection);
  return view === undefined || isStale(draft, view);
}

/** The classes that need one, by their key. */
function neededClasses(draft: Draft): Map<string, RunnerClass> {
  const needed = new Map<string, RunnerClass>();
  const need = (runnerClass: RunnerClass) => needed.set(classKey(runnerClass), runnerClass);
  for (const view of draft.snapshot.pools) {
    const { spec } = view;
    if (!isServed(draft, spec.name)) continue;
    if (!view.paused && keepsWarm(spec)) need({ pool: spec.name, size: spec.size });
  }
  for (const job of draft.jobs.values()) {
    if (job.status !== "pending" || job.pool === undefined || job.size === undefined || !isServed(draft, job.pool)) continue;
    if (draft.reached(job.queuedAt + waitsLongMs)) need({ pool: job.pool, size: job.size });
  }
  return needed;
}

/** Whether the pool's classes may have presence runners: it is there, does not drain, and its connection says so. */
function isServed(draft: Draft, pool: string): boolean {
  const view = draft.pools.get(pool);
  return view !== undefined && view.draining !== true && draft.connections.get(view.spec.connection)?.spec.presenceRunners === true;
}

const keepsWarm = ({ minIdle, idlePolicies }: Pool): boolean => minIdle > 0 || idlePolicies.some((policy) => policy.minIdle > 0);

/** Whether the class is no longer declared as it was when its presence runner was made. */
function isOutdated(draft: Draft, presence: Presence): boolean {
  const pool = draft.pools.get(presence.pool)?.spec;
  const connection = draft.connections.get(presence.connection)?.spec;
  if (pool === undefined || connection === undefined || !isServed(draft, presence.pool)) return true;
  if (pool.connection !== presence.connection || sizeOf(pool, presence.size) === undefined) return true;
  return !sameTraits(presence, classTraits(pool, presence.size, connection));
}

function release(draft: Draft, presence: Presence): void {
  const { unneededSince = draft.now } = presence;
  if (draft.reached(unneededSince + keptMs)) draft.putPresence(leaving(presence));
  else if (presence.unneededSince === undefined) draft.putPresence({ ...presence, unneededSince });
}

function kept({ unneededSince: _since, ...presence }: Presence): Presence {
  return presence;
}

/** Its token is needed no more. */
function leaving({ sealedToken: _token, ...presence }: Presence): Presence {
  return { ...presence, state: "leaving" };
}

function make(draft: Draft, { pool, size }: RunnerClass): boolean {
  const spec = draft.pools.get(pool)?.spec;
  const connection = draft.connections.get(spec?.connection ?? "")?.spec;
  if (spec === undefined || connection === undefined || sizeOf(spec, size) === undefined) return false;
  const name = presenceName(draft.snapshot.seed.name, draft.nextName());
  const { tags, ...traits } = classTraits(spec, size, connection);
  const description = runnerDescription(draft.snapshot.owner, pool, name);
  draft.putPresence({
    name,
    connection: connection.name,
    pool,
    size,
    description,
    tags: [...tags],
    ...traits,
    state: "wanted",
    attempts: 0,
  });
  return true;
}

function stepOn(draft: Draft, presence: Presence): void {
  const { name, connection, state, attempts, heardAt } = presence;
  if (draft.isInFlight(`presence:${name}`)) return;
  const begin = (step: PresenceStep) => draft.begin({ kind: "tendPresence", presence: name, connection, step });
  switch (state) {
    case "wanted":
      // A forge that cannot be read is asked for nothing: what was asked in vain would have to be searched for before it goes.
      if (!isUnread(draft, connection) && mayMakeRunner(draft, connection) && begin(attempts === 0 ? "make" : "remake"))
        draft.putPresence({ ...presence, attempts: attempts + 1 });
      return;
    case "paused":
      begin("contact");
      return;
    case "heard":
      // A request of an earlier leader that arrives only when it is unpaused would be given a job.
      if (draft.reached(draft.snapshot.listeningSince + lateCallMs)) begin("unpause");
      return;
    case "present":
      // A time that is yet to come is one of before the clock was set back.
      if (heardAt === undefined || heardAt > draft.now || draft.reached(heardAt + hearEveryMs)) begin("pause");
      return;
    case "leaving":
      if (attempts === 0) draft.dropPresence(name);
      else begin("remove");
  }
}
