import { administrator, type User } from "../records/user.js";

/** A user as REST lists it beside other things; pipelines and jobs are the administrator's. */
export const userEntity = (url: string, user: User = administrator) => ({
  id: user.id,
  username: user.username,
  public_email: null,
  name: user.name,
  state: "active",
  locked: false,
  avatar_url: null,
  web_url: `${url}/${user.username}`,
});

/** The user as webhooks tell it. */
export const hookUser = () => ({
  id: administrator.id,
  name: administrator.name,
  username: administrator.username,
  avatar_url: null,
  email: administrator.email,
});
