/** Freezes a value of plain data through and through: what readers share cannot be changed under the store's feet. */
export function frozen<V>(value: V): V {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) frozen(inner);
  }
  return value;
}
