/** Lets many wait for the same thing: who comes while it is under way waits for the next time, together with all who come then. */
export class Barrier {
  private running: Promise<void> | undefined;
  private next: Promise<void> | undefined;

  /** `wait` settles when everything that came before its call is safe. */
  constructor(private readonly wait: () => Promise<void>) {}

  pass(): Promise<void> {
    if (this.running === undefined) return this.begin();
    const begin = () => {
      this.next = undefined;
      return this.begin();
    };
    this.next ??= this.running.then(begin, begin);
    return this.next;
  }

  private begin(): Promise<void> {
    const running = this.wait().finally(() => {
      this.running = undefined;
    });
    this.running = running;
    return running;
  }
}
