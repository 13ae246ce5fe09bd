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
}

/** One delivery, as the hook's log keeps it. */
export interface DeliveryRecord {
  readonly id: number;
  readonly event: string;
  readonly idempotencyKey: string;
  /** Undefined when it was too long to be kept. */
  readonly body: string | undefined;
  readonly at: number;
  /** The receiver's status, or `internal error` when it did not answer. */
  readonly responseStatus: string;
  readonly durationS: number;
}

/** A project's webhook. */
export interface Hook extends HookSettings {
  readonly id: number;
  readonly projectId: number;
  readonly createdAt: number;
  readonly health: Health;
  /** The latest deliveries, newest first. */
  readonly deliveries: readonly DeliveryRecord[];
}

/** The hooks of all projects, in memory. */
export interface Hooks {
  ofProject(projectId: number): readonly Hook[];
  find(projectId: number, id: number): Hook | undefined;
  add(projectId: number, settings: HookSettings): Hook;
  change(id: number, change: Partial<HookSettings> & Partial<Pick<Hook, "health" | "deliveries">>): Hook | undefined;
  remove(id: number): void;
  removeProject(projectId: number): void;
}

export function createHooks(clock: { now(): number }): Hooks {
  const hooks = new Map<number, Hook>();
  const ofProject = (projectId: number) => [...hooks.values()].filter((hook) => hook.projectId === projectId);
  let lastId = 0;
  return {
    ofProject,
    find(projectId, id) {
      const hook = hooks.get(id);
      return hook?.projectId === projectId ? hook : undefined;
    },
    add(projectId, settings) {
      lastId += 1;
      const hook: Hook = { ...settings, id: lastId, projectId, createdAt: clock.now(), health: enabled, deliveries: [] };
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
    removeProject(projectId) {
      for (const { id } of ofProject(projectId)) hooks.delete(id);
    },
  };
}
