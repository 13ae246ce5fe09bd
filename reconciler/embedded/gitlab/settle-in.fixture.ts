import { roles } from "./records/members.js";
import type { RefKind } from "./records/protected-refs.js";
import type { EmbeddedGitLab } from "./start.js";

/** Where somebody is somebody. */
export type Place = { readonly projectId: number } | { readonly groupId: number };
export type RoleName = keyof typeof roles;

/** Makes what tests need to stand in a GitLab, by its REST API as its administrator. Everything rejects unless it is answered 2xx. */
export interface Settler {
  /** Makes a group, in another one if asked, and returns its id. */
  group(path: string, parentId?: number): Promise<number>;
  /** Makes a project without a repository's content, in a group if asked, and returns its id. */
  project(path: string, groupId?: number, settings?: Readonly<Record<string, unknown>>): Promise<number>;
  /** Makes a user who has these roles and nothing else, and returns an access token of theirs. */
  userToken(scopes: readonly string[], ...held: readonly (Place & { readonly role: RoleName })[]): Promise<string>;
  /** Makes an access token of a project or group, whose bot has this role there. `expiresAt` is a date, `2027-01-31`. */
  botToken(place: Place, role: RoleName, scopes: readonly string[], expiresAt?: string): Promise<string>;
  /** Protects a branch or tag; `*` stands for any text. */
  protect(projectId: number, kind: RefKind, name: string): Promise<void>;
}

/** A settler of a GitLab that runs. */
export function settleIn({ url, token }: Pick<EmbeddedGitLab, "url" | "token">): Settler {
  let users = 0;

  async function post(path: string, body: unknown): Promise<{ readonly id: number; readonly token?: string }> {
    const response = await fetch(`${url}/api/v4${path}`, {
      method: "POST",
      headers: { "private-token": token, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`POST ${path} was answered ${response.status}: ${text}`);
    return JSON.parse(text) as { readonly id: number; readonly token?: string };
  }
  const pathOf = (place: Place) => ("projectId" in place ? `/projects/${place.projectId}` : `/groups/${place.groupId}`);

  return {
    group: async (path, parentId) =>
      (await post("/groups", { name: path, path, ...(parentId === undefined ? {} : { parent_id: parentId }) })).id,
    project: async (path, groupId, settings = {}) =>
      (await post("/projects", { path, ...(groupId === undefined ? {} : { namespace_id: groupId }), ...settings })).id,
    async userToken(scopes, ...held) {
      users += 1;
      const username = `user-${users}`;
      const { id } = await post("/users", { username, name: username, email: `${username}@example.com` });
      for (const { role, ...place } of held) await post(`${pathOf(place)}/members`, { user_id: id, access_level: roles[role] });
      return (await post(`/users/${id}/personal_access_tokens`, { name: "for a test", scopes })).token ?? "";
    },
    botToken: async (place, role, scopes, expiresAt) =>
      (
        await post(`${pathOf(place)}/access_tokens`, {
          name: "for a test",
          scopes,
          access_level: roles[role],
          ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
        })
      ).token ?? "",
    async protect(projectId, kind, name) {
      await post(`/projects/${projectId}/protected_${kind}`, { name });
    },
  };
}
