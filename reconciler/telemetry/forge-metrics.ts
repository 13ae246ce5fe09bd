import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** How many requests a connection may still make. */
export interface BudgetLeft {
  readonly connection: string;
  readonly left: number;
}

/** Whether the forge has a connection's webhook, and calls it. */
export interface WebhookStanding {
  readonly connection: string;
  readonly registered: boolean;
}

/** What is counted of the talk with forges. */
export interface ForgeMetrics {
  /** `firerunner_webhooks_total`. */
  webhook(connection: string, outcome: string): void;
  /** `firerunner_webhook_lag_seconds`: from what a webhook tells of, by the forge's clock, until it arrived. */
  webhookLag(connection: string, lagS: number): void;
  /** `firerunner_events_found_by_polling_total`: what a poll told of first. */
  foundByPolling(connection: string, count: number): void;
  /** `firerunner_forge_requests_total`: one request; the outcome `limited` is a 429. */
  forgeRequest(connection: string, outcome: string): void;
  /** `firerunner_runner_leftovers_total`: a runner of ours that no record knew. */
  runnerLeftover(): void;
  /** `firerunner_forge_budget_left` is asked of `source` whenever metrics are read. */
  countBudgets(source: () => readonly BudgetLeft[]): void;
  /** `firerunner_webhook_registered` is asked of `source` whenever metrics are read. */
  countWebhooks(source: () => readonly WebhookStanding[]): void;
}

export function createForgeMetrics(registry: Registry): ForgeMetrics {
  const registers = [registry];
  const webhooks = new Counter({
    name: "firerunner_webhooks_total",
    help: "Webhooks by connection and what became of them.",
    labelNames: ["connection", "outcome"],
    registers,
  });
  const lag = new Histogram({
    name: "firerunner_webhook_lag_seconds",
    help: "Seconds from what a webhook tells of until it arrived, by the forge's clock; of jobs that begin to wait nothing is told.",
    labelNames: ["connection"],
    buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800],
    registers,
  });
  const byPolling = new Counter({
    name: "firerunner_events_found_by_polling_total",
    help: "Jobs that waited or ran before any webhook had told of it: a poll was the first.",
    labelNames: ["connection"],
    registers,
  });
  const requests = new Counter({
    name: "firerunner_forge_requests_total",
    help: "Requests to forges: ok, limited (429), refused, failed or unanswered.",
    labelNames: ["connection", "outcome"],
    registers,
  });
  const leftovers = new Counter({
    name: "firerunner_runner_leftovers_total",
    help: "Runners of ours that were found in a forge without a record, and removed.",
    registers,
  });
  let budgets: () => readonly BudgetLeft[] = () => [];
  new Gauge({
    name: "firerunner_forge_budget_left",
    help: "Requests that a connection may still make at this moment, where a budget is declared or the forge tells of one.",
    labelNames: ["connection"],
    registers,
    collect() {
      this.reset();
      for (const { connection, left } of budgets()) this.set({ connection }, left);
    },
  });
  let standings: () => readonly WebhookStanding[] = () => [];
  new Gauge({
    name: "firerunner_webhook_registered",
    help: "1 when the forge has the webhook that the service keeps and calls it, 0 when it is missing or muted.",
    labelNames: ["connection"],
    registers,
    collect() {
      this.reset();
      for (const { connection, registered } of standings()) this.set({ connection }, registered ? 1 : 0);
    },
  });
  return {
    webhook: (connection, outcome) => webhooks.inc({ connection, outcome }),
    webhookLag: (connection, lagS) => lag.observe({ connection }, Math.max(0, lagS)),
    foundByPolling: (connection, count) => byPolling.inc({ connection }, count),
    forgeRequest: (connection, outcome) => requests.inc({ connection, outcome }),
    runnerLeftover: () => leftovers.inc(),
    countBudgets(source) {
      budgets = source;
    },
    countWebhooks(source) {
      standings = source;
    },
  };
}
