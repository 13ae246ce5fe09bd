type Part = string | number | undefined;

interface Node<V> {
  next: Map<Part, Node<V>> | undefined;
  value: V | undefined;
}

/**
 * A map whose keys are tuples of names and numbers: two keys are the same when all their parts are. A text made of the parts
 * would do as well, but making one for every record of a large fleet, in every pass, takes longer than all that is done with it.
 */
export class TupleMap<V extends object> {
  private readonly root: Node<V> = { next: undefined, value: undefined };
  private readonly all: V[] = [];

  /** What is kept under a key; the first time `make` makes it. */
  of(key: readonly Part[], make: () => V): V {
    let node = this.root;
    for (const part of key) {
      node.next ??= new Map();
      let next = node.next.get(part);
      if (next === undefined) {
        next = { next: undefined, value: undefined };
        node.next.set(part, next);
      }
      node = next;
    }
    if (node.value === undefined) {
      node.value = make();
      this.all.push(node.value);
    }
    return node.value;
  }

  /** All that is kept, in the order in which it was made. */
  values(): readonly V[] {
    return this.all;
  }
}
