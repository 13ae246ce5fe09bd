import type { Scope } from "../../../model/connection.js";
import { enabled, type Health } from "./health.js";

/** What a hook wants to be told. */
interface HookEvents {
  readonly jobEvents: boolean;
  readonly pipelineEvents: boolean;
  readonly pushEvents: boolean;
}

/** What may be said of a hook when it is made or changed. */
export interface HookSettings extends HookEvents {
  readonly url: string;
  readonly name: string | undefined;
  readonly description: string | undefined;
  /** Sent in clear as `X-Gitlab-Token`. */
  readonly token: string | undefined;
  /** `whsec_<base64>`: what deliveries are signed with. */
  readonly signingToken: string | undefined;
  readonly enableSslVerification: boolean;
  /** Sent beside GitLab's own headers, which win. */
  readonly customHeaders: readonly { readonly key: string; readonly value: string }[];
  /** What is sent instead of GitLab's own body, with `{{a.b}}` where values of that body go. */
  readonly customTemplate: string | undefined;
}

/** One delivery, as the hook's log keeps it. */
export interface DeliveryRecord {
  readonly id: number;
  readonly event: string;
  readonly idempotencyKey: string;
  /** GitLab's own body, before a template; undefined when it was too long to be kept. */
  readonly body: string | undefined;
  readonly at: number;
  /** The receiver's status, or `internal error` when it did not answer. */
  readonly responseStatus: string;
  readonly durationS: number;
}

/** A webhook of a project, of a group, or (a system hook) of the instance. */
export interface Hook extends HookSettings {
  readonly id: number;
  readonly owner: Scope;
  readonly createdAt: number;
  readonly health: Health;
  /** The latest deliveries, newest first. */
  readonly deliveries: readonly DeliveryRecord[];
}

/** All hooks, in memory. */
export interface Hooks {
  of(owner: Scope): readonly Hook[];
  find(id: number): Hook | undefined;
  add(owner: Scope, settings: HookSettings): Hook;
  change(id: number, change: Partial<HookSettings> & Partial<Pick<Hook, "health" | "deliveries">>): Hook | undefined;
  remove(id: number): void;
  removeAll(owner: Scope): void;
}

export function createHooks(clock: { now(): number }): Hooks {
  const hooks = new Map<number, Hook>();
  const of = (owner: Scope) => [...hooks.values()].filter((hook) => sameOwner(hook.owner, owner));
  let lastId = 0;
  return {
    of,
    find: (id) => hooks.get(id),
    add(owner, settings) {
      lastId += 1;
      const hook: Hook = { ...settings, id: lastId, owner, createdAt: clock.now(), health: enabled, deliveries: [] };
      hooks.set(hook.id, hook);
      return hook;
    },
    change(id, change) {
      const hook = hooks.get(id);
      if (hook === undefined) return undefined;
      const after = { ...hook, ...change };
      hooks.set(id, after);
      return after;
    },
    remove: (id) => void hooks.delete(id),
    removeAll(owner) {
      for (const { id } of of(owner)) hooks.delete(id);
    },
  };
}

/** Whether both are the same project, the same group, or the instance. */
export function sameOwner(a: Scope, b: Scope): boolean {
  if ("projectId" in a) return "projectId" in b && a.projectId === b.projectId;
  if ("groupId" in a) return "groupId" in b && a.groupId === b.groupId;
  return "instance" in b;
}
