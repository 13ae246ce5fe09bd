/** Reads that many ask for at once. */
export interface SharedReads<T> {
  /**
   * Whoever asks while a read of the same key runs shares the next one: what is given was always read after it was asked
   * for, and at most two reads serve any number of askers.
   */
  read(key: string, read: () => Promise<T>): Promise<T>;
}

interface Running<T> {
  readonly ended: Promise<void>;
  next: Promise<T> | undefined;
}

export function createSharedReads<T>(): SharedReads<T> {
  const byKey = new Map<string, Running<T>>();

  function begin(key: string, read: () => Promise<T>): Promise<T> {
    const result = read();
    const settled = () => {
      if (running.next === undefined) byKey.delete(key);
    };
    const running: Running<T> = { ended: result.then(settled, settled), next: undefined };
    byKey.set(key, running);
    return result;
  }

  return {
    read(key, read) {
      const running = byKey.get(key);
      if (running === undefined) return begin(key, read);
      running.next ??= running.ended.then(() => begin(key, read));
      return running.next;
    },
  };
}
