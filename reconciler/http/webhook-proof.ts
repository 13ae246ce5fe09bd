import { provesSecret, provesSignature } from "../forge/gitlab/webhook.js";
import type { Clock } from "../model/clock.js";
import type { Connection } from "../model/connection.js";
import { FireRunnerError } from "../model/errors.js";
import type { Logger } from "../telemetry/logger.js";
import { createGate } from "./gate.js";

type Headers = Parameters<typeof provesSecret>[0]["headers"];
type Received = Parameters<typeof provesSignature>[0];

export interface WebhookProofOptions {
  readonly clock: Pick<Clock, "now">;
  readonly logger: Pick<Logger, "warn">;
  /** The secret behind a reference; throws `FR-CONFIG` when there is none. */
  readonly resolveSecret: (ref: string) => string;
}

/** Whether a webhook comes from the forge of its connection: where both a secret and a signing token are declared, both are demanded. */
export interface WebhookProof {
  /** `not-asked` where only a signing token is declared. Throws `FR-UNAUTHORIZED` where neither is. */
  ofSecret(connection: Connection, headers: Headers): "right" | "wrong" | "not-asked";
  /** True where no signing token is declared. */
  ofSignature(connection: Connection, received: Received): boolean;
}

/** While a secret is being changed, the one before is accepted as well: GitLab goes on using it until somebody changes it there. */
export function createWebhookProof({ clock, logger, resolveSecret }: WebhookProofOptions): WebhookProof {
  const gate = createGate(clock);

  function holds(name: string, current: string, previous: string | undefined, proves: (secret: string) => boolean): boolean {
    if (proves(resolveSecret(current))) return true;
    if (previous === undefined) return false;
    try {
      return proves(resolveSecret(previous));
    } catch (error) {
      // It may be gone already: the current one is what counts.
      if (gate(`${name}/${previous}`)) logger.warn({ error, connection: name }, `the former webhook secret ${previous} cannot be used`);
      return false;
    }
  }

  return {
    ofSecret({ name, webhook: { secret, previousSecret, signingToken } }, headers) {
      if (secret !== undefined) return holds(name, secret, previousSecret, (known) => provesSecret({ headers }, known)) ? "right" : "wrong";
      if (signingToken !== undefined) return "not-asked";
      if (gate(`${name}/none`)) {
        logger.warn({ connection: name }, "a webhook is refused: the connection has neither webhook.secret nor webhook.signingToken");
      }
      throw new FireRunnerError("FR-UNAUTHORIZED", `connection "${name}" takes no webhooks: it has neither a secret nor a signing token`);
    },
    ofSignature({ name, webhook: { signingToken, previousSigningToken } }, received) {
      if (signingToken === undefined) return true;
      return holds(name, signingToken, previousSigningToken, (known) => provesSignature(received, known, clock.now()));
    },
  };
}
