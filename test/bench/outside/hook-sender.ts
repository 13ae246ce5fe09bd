import { HttpLane } from "./http-lane.js";
import { type HookTarget, hookRequests } from "./job-hook.js";

/** When a hook was sent and when it was answered 200, in milliseconds of the outside's own clock. */
export interface SentHook {
  readonly jobId: number;
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** Where hooks go, and who is told of each job before its hook is sent. */
export interface Hooks {
  readonly target: HookTarget;
  readonly onSend: (jobId: number) => void;
}

/** How often hooks that are due are looked for. */
const tickMs = 1;

/** Sends one hook per job at a steady rate, whatever becomes of the answers; a hook that waits for a connection counts as sent. */
export async function sendSteadily(hooks: Hooks, jobIds: readonly number[], perSecond: number): Promise<readonly SentHook[]> {
  const lanes = new Lanes(hooks, 64);
  const sending: Promise<SentHook>[] = [];
  const beganAt = performance.now();
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(((performance.now() - beganAt) * perSecond) / 1000, jobIds.length);
      while (sending.length < due) sending.push(lanes.post(jobIds[sending.length] ?? 0));
      if (sending.length < jobIds.length) return;
      clearInterval(timer);
      resolve();
    }, tickMs);
  });
  return lanes.closeAfter(Promise.all(sending));
}

/** Sends one hook per job as fast as so many connections take them. */
export async function sendAtOnce(hooks: Hooks, jobIds: readonly number[], connections: number): Promise<readonly SentHook[]> {
  const lanes = new Lanes(hooks, connections);
  const sent: SentHook[] = [];
  let next = 0;
  const worker = async () => {
    for (let jobId = jobIds[next++]; jobId !== undefined; jobId = jobIds[next++]) sent.push(await lanes.post(jobId));
  };
  await lanes.closeAfter(Promise.all(Array.from({ length: connections }, worker)));
  return sent;
}

/** Connections that are opened when they are needed, up to a bound; what finds none free waits in order. */
class Lanes {
  private readonly request: (jobId: number) => Buffer;
  private readonly all: HttpLane[] = [];
  private readonly free: HttpLane[] = [];
  private readonly waiting: ((lane: HttpLane) => void)[] = [];

  constructor(
    private readonly hooks: Hooks,
    private readonly most: number,
  ) {
    this.request = hookRequests(hooks.target);
  }

  async post(jobId: number): Promise<SentHook> {
    this.hooks.onSend(jobId);
    const sentAt = performance.now();
    const lane = await this.take();
    const { status, body } = await lane.send(this.request(jobId));
    const answeredAt = performance.now();
    const next = this.waiting.shift();
    if (next === undefined) this.free.push(lane);
    else next(lane);
    if (status !== 200) throw new Error(`the hook of job ${jobId} was answered ${status} ${body}`);
    return { jobId, sentAt, answeredAt };
  }

  async closeAfter<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      for (const lane of this.all) lane.close();
    }
  }

  private take(): HttpLane | Promise<HttpLane> {
    const free = this.free.pop();
    if (free !== undefined) return free;
    if (this.all.length >= this.most) return new Promise((resolve) => this.waiting.push(resolve));
    const lane = new HttpLane(this.hooks.target.url);
    this.all.push(lane);
    return lane;
  }
}
