import { setTimeout as pause } from "node:timers/promises";
import { isOver } from "../../reconciler/cli/dev/gitlab-client.js";
import type { Pushed } from "../../reconciler/cli/dev/push-folder.js";
import { until } from "../e2e/until.fixture.js";
import { type DrillLeftovers, type DrillWorld, startDrillWorld } from "./drill-world.fixture.js";
import { type HookStream, isTaken, type Refusal, refusals, startHooks } from "./hook-stream.fixture.js";
import type { ReplicaProcess } from "./replica-process.fixture.js";
import type { FailOver } from "./sentinel.fixture.js";

/** What is done to the replicas or their store. */
export type DrillStep =
  /** The leader ends with SIGKILL, and is started again when another one leads. */
  | { readonly kind: "kill-leader" }
  /** The leader stands still for so long, and goes on as a deposed one. */
  | { readonly kind: "freeze-leader"; readonly forMs: number }
  /** The leader is told to end, and is started again: a step of a rolling update. */
  | { readonly kind: "stop-leader" }
  /** Every replica is told to end and started again, one after the other. */
  | { readonly kind: "roll" }
  /** The master of Redis ends with SIGKILL, and Sentinel makes another one. */
  | { readonly kind: "fail-over" };

export interface DrillOptions {
  readonly hosts: number;
  readonly jobs: number;
  readonly steps: readonly DrillStep[];
  readonly jobMs: number;
}

/** What a drill has shown. Times are in ms. */
export interface DrillReport {
  readonly jobs: Readonly<Record<string, number>>;
  /** What ran twice, in words. */
  readonly twice: readonly string[];
  readonly microvms: number;
  readonly left: DrillLeftovers;
  /** From the death of each leader until another replica led. */
  readonly takeoversMs: readonly number[];
  /** From when each leader was told to end until another replica led. */
  readonly handOversMs: readonly number[];
  /** From each death of a master of Redis until Sentinel told of another, until webhooks were taken again for good, and until a replica led on it. */
  readonly failOversMs: readonly { readonly redis: number; readonly hooks: number; readonly leader: number }[];
  /** How many webhooks were posted, and the refusals outside of failovers: since which step, how many in a row, for how long, and with what answers. */
  readonly posted: number;
  readonly otherRefusals: readonly (Pick<Refusal, "hooks" | "answers"> & { readonly since: string; readonly ms: number })[];
  readonly tookMs: number;
}

/** Runs jobs through three replicas while the steps are taken one after the other, and counts what comes of it. */
export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const beganAt = performance.now();
  const work = (signal: AbortSignal) => pause(options.jobMs, undefined, { signal });
  const world = await startDrillWorld({ hosts: options.hosts, work });
  const hooks = startHooks(world.webhook);
  const drill = new Drill(world, hooks);
  try {
    await drill.leader();
    for (const replica of world.replicas) await until(`${replica.name} is up`, () => replica.standing());
    const upAt = performance.now();
    const pushed: Pushed[] = [];
    const portions = options.steps.length + 1;
    for (let portion = 0; portion < portions; portion += 1) {
      const [from, to] = [portion, portion + 1].map((n) => Math.round((options.jobs * n) / portions));
      const jobs = Array.from({ length: (to ?? 0) - (from ?? 0) }, (_, n) => `job-${n}: {script: [exit 0], tags: [drill]}\n`);
      if (jobs.length > 0) pushed.push(await world.push(`drill-${portion}`, jobs.join("")));
      const step = options.steps[portion];
      if (step !== undefined) await drill.take(step);
    }
    const unfinished = new Set(pushed);
    const areOver = async () => {
      for (const one of unfinished)
        if (isOver((await world.client.pipeline(one.project.id, one.pipeline.id)).status)) unfinished.delete(one);
      return unfinished.size === 0;
    };
    const tell = () => world.replicas.map((replica) => `${replica.name}:\n${replica.output().slice(-3_000)}`).join("\n");
    await until("every pipeline is over", areOver, { deadlineMs: 300_000, everyMs: 500, tell });
    await hooks.stop();
    let left = await world.left();
    const isNothingLeft = async () => {
      left = await world.left();
      return Object.values(left).every((n) => n === 0);
    };
    await until("nothing is left", isNothingLeft, { deadlineMs: 120_000, everyMs: 250 }).catch(() => undefined);
    const jobs: Record<string, number> = {};
    for (const { project, pipeline } of pushed) {
      for (const { status } of await world.client.jobs(project.id, pipeline.id)) jobs[status] = (jobs[status] ?? 0) + 1;
    }
    const { takeoversMs, handOversMs } = drill;
    const tookMs = performance.now() - beganAt;
    const { twice, ran } = world;
    return { jobs, twice, microvms: ran.size, left, takeoversMs, handOversMs, ...drill.refused(upAt), tookMs };
  } finally {
    await hooks.stop();
    await world.stop();
  }
}

/** The share `p` of the times is at most this. */
export function percentile(times: readonly number[], p: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.max(Math.ceil(sorted.length * p) - 1, 0)] ?? Number.NaN;
}

/** When a master of Redis was killed, another one was told of, a replica led on it, and webhooks had been taken again. */
interface SeenFailOver extends FailOver {
  readonly ledAt: number;
  readonly overAt: number;
}

class Drill {
  readonly takeoversMs: number[] = [];
  readonly handOversMs: number[] = [];
  private readonly failOvers: SeenFailOver[] = [];
  private readonly begun: { readonly kind: string; readonly at: number }[] = [];

  constructor(
    private readonly world: DrillWorld,
    private readonly hooks: HookStream,
  ) {}

  /** The replica that leads, when one does; another one than `not`, or than the term `after`. */
  async leader(not?: ReplicaProcess, after?: string): Promise<ReplicaProcess> {
    const { replicas } = this.world;
    const tell = () => replicas.map((replica) => `${replica.name}:\n${replica.output().slice(-2_000)}`).join("\n");
    const leads = async (replica: ReplicaProcess) => {
      const standing = await replica.standing();
      return standing?.leading === true && standing.epoch !== after;
    };
    const find = async () => {
      const asked = replicas.filter((replica) => replica !== not);
      const leading = await Promise.all(asked.map(leads));
      return asked[leading.indexOf(true)];
    };
    return until("a replica leads", find, { tell });
  }

  async take(step: DrillStep): Promise<void> {
    this.begun.push({ kind: step.kind, at: performance.now() });
    switch (step.kind) {
      case "kill-leader": {
        const leader = await this.leader();
        const from = performance.now();
        await leader.end("SIGKILL");
        await this.leader(leader);
        this.takeoversMs.push(performance.now() - from);
        return this.startAgain(leader);
      }
      case "freeze-leader": {
        const leader = await this.leader();
        const from = performance.now();
        leader.signal("SIGSTOP");
        await this.leader(leader);
        this.takeoversMs.push(performance.now() - from);
        await pause(Math.max(step.forMs - (performance.now() - from), 0));
        leader.signal("SIGCONT");
        await until("it leads no more", async () => (await leader.standing())?.leading === false);
        return;
      }
      case "stop-leader":
        return this.endWell(await this.leader());
      case "roll":
        for (const replica of this.world.replicas) await this.endWell(replica);
        return;
      case "fail-over": {
        const before = (await (await this.leader()).standing())?.epoch;
        const { redis } = this.world;
        const failOver = await redis.failOver();
        const leads = this.leader(undefined, before).then(() => performance.now());
        const [ledAt] = await Promise.all([leads, redis.mend()]);
        await until("webhooks are taken", () => this.hooks.posted().some((hook) => isTaken(hook) && hook.at > failOver.toldAt));
        this.failOvers.push({ ...failOver, ledAt, overAt: performance.now() });
      }
    }
  }

  /** For how long webhooks were refused, since all replicas were up. */
  refused(upAt: number): Pick<DrillReport, "failOversMs" | "posted" | "otherRefusals"> {
    const posted = this.hooks.posted().filter(({ at }) => at > upAt);
    const all = refusals(posted);
    const during = ({ killedAt, overAt }: SeenFailOver) => all.filter(({ from, to }) => to > killedAt && from < overAt);
    const failOversMs = this.failOvers.map((seen) => {
      const { killedAt, toldAt, ledAt } = seen;
      return { redis: toldAt - killedAt, hooks: Math.max(0, ...during(seen).map(({ to }) => to - killedAt)), leader: ledAt - killedAt };
    });
    const accounted = new Set(this.failOvers.flatMap(during));
    const others = all.filter((refusal) => !accounted.has(refusal));
    const otherRefusals = others.map(({ from, to, hooks, answers }) => {
      const since = this.begun.findLast(({ at }) => at <= from)?.kind ?? "the start";
      return { since, hooks, ms: to - from, answers };
    });
    return { failOversMs, posted: posted.length, otherRefusals };
  }

  private async endWell(replica: ReplicaProcess): Promise<void> {
    const led = (await replica.standing())?.leading === true;
    const from = performance.now();
    const ended = replica.end("SIGTERM");
    await this.leader(replica);
    if (led) this.handOversMs.push(performance.now() - from);
    const how = await ended;
    if (how !== 0) throw new Error(`${replica.name} ended with ${how}:\n${replica.output().slice(-3_000)}`);
    await this.startAgain(replica);
  }

  private async startAgain(replica: ReplicaProcess): Promise<void> {
    replica.start();
    await until(`${replica.name} is up again`, () => replica.standing());
  }
}
