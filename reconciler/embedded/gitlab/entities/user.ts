/** The one user: the administrator. */
export const administrator = { id: 1, username: "root", name: "Administrator", email: "admin@example.com" } as const;

/** The user as REST lists it beside other things. */
export const userEntity = (url: string) => ({
  id: administrator.id,
  username: administrator.username,
  name: administrator.name,
  state: "active",
  locked: false,
  avatar_url: null,
  web_url: `${url}/${administrator.username}`,
});

/** The user as webhooks tell it. */
export const hookUser = () => ({
  id: administrator.id,
  name: administrator.name,
  username: administrator.username,
  avatar_url: null,
  email: administrator.email,
});
