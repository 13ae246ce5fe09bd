import type { FastifyInstance } from "fastify";
import type { Condition } from "../../model/condition.js";
import { webhookUrlOf } from "../../model/connection.js";
import { FireRunnerError } from "../../model/errors.js";
import type { Store } from "../../store/port.js";

export interface ConnectionDependencies {
  readonly store: Pick<Store, "get" | "list">;
  /** How forges reach the public listener, where it is known. */
  readonly publicUrl?: string | undefined;
}

/** A connection as the service finds it. What is not known is null. */
export interface ConnectionStatus {
  readonly name: string;
  /** Where its forge posts webhooks; null when the service file does not say how forges reach the service. */
  readonly webhookUrl: string | null;
  /** Whether its credential may do what is needed. */
  readonly usable: boolean | null;
  /** Whether the forge has the webhook; null also where the service does not keep it. */
  readonly webhookRegistered: boolean | null;
  readonly conditions: readonly Condition[];
}

/** `GET /v1/connections/:name/status`: what the latest check of a connection found. */
export function registerConnectionRoutes(app: FastifyInstance, { store, publicUrl }: ConnectionDependencies): void {
  app.get<{ Params: { name: string } }>("/v1/connections/:name/status", (request): ConnectionStatus => {
    const { name } = request.params;
    if (store.get("connection", name) === undefined)
      throw new FireRunnerError("FR-NOT-FOUND", `no connection is called ${JSON.stringify(name)}`);
    const conditions = store
      .list("condition")
      .map(({ value }) => value)
      .filter(({ subject }) => subject.kind === "connection" && subject.name === name);
    return {
      name,
      webhookUrl: publicUrl === undefined ? null : webhookUrlOf(publicUrl, name),
      usable: verdict(conditions, "Usable"),
      webhookRegistered: verdict(conditions, "WebhookRegistered"),
      conditions,
    };
  });
}

function verdict(conditions: readonly Condition[], type: string): boolean | null {
  const found = conditions.find((condition) => condition.type === type);
  return found === undefined || found.reason === "Unknown" ? null : found.status;
}
