/** A project's protected branches and tags: names, or patterns in which `*` stands for any text. */
export interface ProtectedRefs {
  readonly branches: readonly string[];
  readonly tags: readonly string[];
}

/** Whether a branch or Git tag is protected. Names count as they are written, upper and lower case apart. */
export function isProtectedRef(refs: ProtectedRefs, ref: string, isTag: boolean): boolean {
  return (isTag ? refs.tags : refs.branches).some((pattern) => pattern !== "" && fits(pattern, ref));
}

/** Takes each piece between stars where it comes first: no pattern makes this slow. */
function fits(pattern: string, ref: string): boolean {
  const [start = "", ...rest] = pattern.split("*");
  const end = rest.pop();
  if (end === undefined) return ref === pattern;
  if (!ref.startsWith(start)) return false;
  let at = start.length;
  for (const piece of rest) {
    const found = ref.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return ref.length - end.length >= at && ref.endsWith(end);
}
