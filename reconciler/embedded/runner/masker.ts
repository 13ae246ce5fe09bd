const mask = Buffer.from("[MASKED]");

/**
 * Replaces secrets in a stream of bytes, however the stream is cut into chunks. Whatever is part of an occurrence of a
 * secret is replaced; occurrences that overlap become one mask. Bytes that may be the beginning of a secret are held
 * back until it is known.
 */
export class Masker {
  private readonly secrets: readonly Buffer[];
  private held: Buffer = Buffer.alloc(0);
  /** So many of the held bytes belong to an occurrence whose mask was given out already. */
  private covered = 0;

  /** Empty secrets are ignored. */
  constructor(secrets: Iterable<string>) {
    this.secrets = [...new Set(secrets)].filter((secret) => secret !== "").map((secret) => Buffer.from(secret));
  }

  /** Takes the next chunk and gives what can be shown by now. */
  push(chunk: Buffer): Buffer {
    const bytes = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    return this.show(bytes, this.firstUndecided(bytes));
  }

  /** Gives what is held back; the stream ends, or something else follows. */
  flush(): Buffer {
    return this.show(this.held, this.held.length);
  }

  /** Where the longest tail begins that is the beginning of a secret; the end when there is none. */
  private firstUndecided(bytes: Buffer): number {
    let first = bytes.length;
    for (const secret of this.secrets) {
      const longest = Math.min(secret.length - 1, bytes.length);
      for (let length = longest; length > bytes.length - first; length -= 1) {
        if (bytes.compare(secret, 0, length, bytes.length - length) === 0) first = bytes.length - length;
      }
    }
    return first;
  }

  /** Decides the bytes before `end`: no occurrence that begins there reaches beyond `bytes`. */
  private show(bytes: Buffer, end: number): Buffer {
    const parts: Buffer[] = [];
    let covered = this.covered;
    for (const [from, to] of this.occurrences(bytes, end)) {
      if (from >= covered) parts.push(bytes.subarray(covered, from), mask);
      covered = Math.max(covered, to);
    }
    if (covered < end) parts.push(bytes.subarray(covered, end));
    this.held = bytes.subarray(end);
    this.covered = Math.max(0, covered - end);
    return Buffer.concat(parts);
  }

  private occurrences(bytes: Buffer, end: number): readonly (readonly [number, number])[] {
    return this.secrets
      .flatMap((secret) => {
        const found: (readonly [number, number])[] = [];
        for (let at = bytes.indexOf(secret); at >= 0 && at < end; at = bytes.indexOf(secret, at + 1)) found.push([at, at + secret.length]);
        return found;
      })
      .toSorted(([a], [b]) => a - b);
  }
}
