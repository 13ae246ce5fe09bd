/** At most `width` tasks of each lane run at once; the rest wait in order. */
export class Lanes {
  private readonly running = new Map<string, number>();
  private readonly waiting = new Map<string, (() => Promise<void>)[]>();
  private active = 0;
  private readonly idle: (() => void)[] = [];

  constructor(
    private readonly width: number,
    private readonly depth: number,
  ) {}

  /** Takes a task, or refuses it when the lane's queue is full. The task must not reject. */
  offer(lane: string, task: () => Promise<void>): boolean {
    if (this.hasRoom(lane)) {
      this.run(lane, task);
      return true;
    }
    const queue = this.waiting.get(lane) ?? [];
    if (queue.length >= this.depth) return false;
    queue.push(task);
    this.waiting.set(lane, queue);
    return true;
  }

  /** Whether a task of this lane would begin at once. */
  hasRoom(lane: string): boolean {
    return (this.running.get(lane) ?? 0) < this.width;
  }

  /** Whether no task runs in any lane. */
  isIdle(): boolean {
    return this.active === 0;
  }

  /** Gives up what waits. */
  clear(): void {
    this.waiting.clear();
  }

  /** Gives up what waits; settles when what runs has ended. */
  drain(): Promise<void> {
    this.clear();
    return this.active === 0 ? Promise.resolve() : new Promise((resolve) => this.idle.push(resolve));
  }

  private run(lane: string, task: () => Promise<void>): void {
    this.active += 1;
    this.running.set(lane, (this.running.get(lane) ?? 0) + 1);
    void task().finally(() => this.finished(lane));
  }

  private finished(lane: string): void {
    this.active -= 1;
    const running = (this.running.get(lane) ?? 1) - 1;
    if (running === 0) this.running.delete(lane);
    else this.running.set(lane, running);
    const next = this.waiting.get(lane)?.shift();
    if (next !== undefined) this.run(lane, next);
    if (this.active === 0) for (const resolve of this.idle.splice(0)) resolve();
  }
}
