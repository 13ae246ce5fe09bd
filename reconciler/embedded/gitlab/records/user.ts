/** Somebody who may hold access tokens: a person, or the bot that GitLab makes for a project or group access token. */
export interface User {
  readonly id: number;
  readonly username: string;
  readonly name: string;
  readonly email: string;
  readonly admin: boolean;
  readonly bot: boolean;
}

/** Who is there from the start, and in whose name everything runs. */
export const administrator: User = {
  id: 1,
  username: "root",
  name: "Administrator",
  email: "admin@example.com",
  admin: true,
  bot: false,
};

/** The users, in memory. */
export interface Users {
  all(): readonly User[];
  find(id: number): User | undefined;
  add(made: Omit<User, "id">): User;
  remove(id: number): void;
}

/** Holds the administrator from the start. */
export function createUsers(): Users {
  const users = new Map<number, User>([[administrator.id, administrator]]);
  let lastId = administrator.id;
  return {
    all: () => [...users.values()],
    find: (id) => users.get(id),
    add(made) {
      lastId += 1;
      const user = { ...made, id: lastId };
      users.set(user.id, user);
      return user;
    },
    remove: (id) => void users.delete(id),
  };
}
