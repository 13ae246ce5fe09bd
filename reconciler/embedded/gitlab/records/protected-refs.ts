/** Which refs are meant. */
export type RefKind = "branches" | "tags";

/** A protected branch or tag of a project; in its name `*` stands for any text. */
export interface ProtectedRef {
  readonly id: number;
  readonly kind: RefKind;
  readonly name: string;
}

/** The protected branches and tags of all projects. */
export interface ProtectedRefs {
  of(projectId: number, kind: RefKind): readonly ProtectedRef[];
  find(projectId: number, kind: RefKind, name: string): ProtectedRef | undefined;
  /** Protects a name that is not protected yet. */
  add(projectId: number, kind: RefKind, name: string): ProtectedRef;
  remove(projectId: number, kind: RefKind, name: string): void;
  removeProject(projectId: number): void;
  /** Whether the branch or tag is protected, by its own name or by one with `*`. */
  covers(projectId: number, kind: RefKind, ref: string): boolean;
}

export function createProtectedRefs(): ProtectedRefs {
  const refs = new Map<number, readonly ProtectedRef[]>();
  let lastId = 0;
  const of = (projectId: number, kind: RefKind) => (refs.get(projectId) ?? []).filter((ref) => ref.kind === kind);
  return {
    of,
    find: (projectId, kind, name) => of(projectId, kind).find((ref) => ref.name === name),
    add(projectId, kind, name) {
      lastId += 1;
      const made = { id: lastId, kind, name };
      refs.set(projectId, [...(refs.get(projectId) ?? []), made]);
      return made;
    },
    remove(projectId, kind, name) {
      refs.set(
        projectId,
        (refs.get(projectId) ?? []).filter((ref) => ref.kind !== kind || ref.name !== name),
      );
    },
    removeProject: (projectId) => void refs.delete(projectId),
    covers: (projectId, kind, ref) => of(projectId, kind).some(({ name }) => fits(name, ref)),
  };
}

/** `release/*` fits `release/1`; everything but `*` stands for itself. */
function fits(pattern: string, ref: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return pattern === ref;
  if (!ref.startsWith(first) || !ref.endsWith(last) || ref.length < first.length + last.length) return false;
  const end = ref.length - last.length;
  let at = first.length;
  for (const part of rest) {
    const found = ref.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
