/** GitLab's roles, as the numbers that its API speaks of. */
export const roles = { guest: 10, planner: 15, reporter: 20, developer: 30, maintainer: 40, owner: 50 } as const;
export type Role = (typeof roles)[keyof typeof roles];

/** Whether the number is one of the roles. */
export const isRole = (level: number): level is Role => Object.values(roles).some((role) => role === level);

/** What somebody may be a member of. */
export type Membership = { readonly projectId: number } | { readonly groupId: number };

export interface Member {
  readonly userId: number;
  readonly role: Role;
}

/** Who has which role where. A role in a group holds in all that is below it; whoever looks asks for each level. */
export interface Members {
  /** The members of exactly this project or group, not those of the groups above. */
  of(where: Membership): readonly Member[];
  role(where: Membership, userId: number): Role | undefined;
  set(where: Membership, userId: number, role: Role): void;
  /** False when there was no such member. */
  remove(where: Membership, userId: number): boolean;
  /** Forgets everybody's role there. */
  removeAll(where: Membership): void;
}

export function createMembers(): Members {
  const members = new Map<string, Map<number, Role>>();
  const keyOf = (where: Membership) => ("projectId" in where ? `project ${where.projectId}` : `group ${where.groupId}`);
  return {
    of: (where) => [...(members.get(keyOf(where)) ?? [])].map(([userId, role]) => ({ userId, role })),
    role: (where, userId) => members.get(keyOf(where))?.get(userId),
    set(where, userId, role) {
      const key = keyOf(where);
      members.set(key, (members.get(key) ?? new Map<number, Role>()).set(userId, role));
    },
    remove: (where, userId) => members.get(keyOf(where))?.delete(userId) ?? false,
    removeAll: (where) => void members.delete(keyOf(where)),
  };
}
