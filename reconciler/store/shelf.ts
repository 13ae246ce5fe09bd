/**
 * Values by key, with the list of all of them in the order of their keys. Changes cost the same however many values
 * there are; the list is brought up to date when it is asked for, and is the same array until something changes.
 */
export class Shelf<V extends { readonly key: string }> {
  private readonly values = new Map<string, V>();
  private sorted: readonly V[] = [];
  /** Keys whose place in `sorted` is not what `values` says. */
  private readonly stale = new Set<string>();
  /** Whether keys came or went since `sorted` was made. */
  private reshaped = false;

  get size(): number {
    return this.values.size;
  }

  get(key: string): V | undefined {
    return this.values.get(key);
  }

  set(value: V): void {
    if (!this.values.has(value.key)) this.reshaped = true;
    this.values.set(value.key, value);
    this.stale.add(value.key);
  }

  delete(key: string): void {
    if (!this.values.delete(key)) return;
    this.reshaped = true;
    this.stale.add(key);
  }

  /** All values in the order of their keys. An array that was given out never changes. */
  list(): readonly V[] {
    if (this.stale.size === 0) return this.sorted;
    this.sorted = this.reshaped ? this.merged() : this.patched();
    this.stale.clear();
    this.reshaped = false;
    return this.sorted;
  }

  private patched(): readonly V[] {
    const next = this.sorted.slice();
    for (const key of this.stale) {
      const value = this.values.get(key);
      if (value !== undefined) next[placeOf(this.sorted, key)] = value;
    }
    return next;
  }

  private merged(): readonly V[] {
    const changed = [...this.stale].sort(byCodeUnits);
    const next: V[] = [];
    let from = 0;
    for (const key of changed) {
      const place = placeOf(this.sorted, key, from);
      for (; from < place; from++) push(next, this.sorted[from]);
      if (this.sorted[from]?.key === key) from++;
      push(next, this.values.get(key));
    }
    for (; from < this.sorted.length; from++) push(next, this.sorted[from]);
    return next;
  }
}

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function push<V>(into: V[], value: V | undefined): void {
  if (value !== undefined) into.push(value);
}

/** The first place at or after `from` whose key is not below `key`. */
function placeOf(sorted: readonly { readonly key: string }[], key: string, from = 0): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = sorted[middle];
    if (found !== undefined && found.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
