import { Counter, Gauge, type Registry } from "prom-client";

/** What is measured of this process as one of several. */
export interface ReplicaMetrics {
  /**
   * `firerunner_leader`, `firerunner_leader_epoch`, `firerunner_leader_since_timestamp_seconds` and `firerunner_leaderships_total`: under
   * which epoch it leads since when (in ms); undefined when it does no more.
   */
  leads(term: { readonly epoch: string; readonly since: number } | undefined): void;
  /** `firerunner_store_lag_seconds` is asked of `source` whenever metrics are read: for how long what is read here may be behind. */
  measureStoreLag(source: () => number): void;
  /** `firerunner_replicas` is asked of `source` whenever metrics are read. */
  countReplicas(source: () => number): void;
}

export function createReplicaMetrics(registry: Registry): ReplicaMetrics {
  const registers = [registry];
  const leader = new Gauge({ name: "firerunner_leader", help: "1 where this process leads, 0 where it stands by.", registers });
  const epochs = new Gauge({
    name: "firerunner_leader_epoch",
    help: "The number of the epoch under which this process leads, which grows with each take-over. 0 where it stands by.",
    registers,
  });
  const since = new Gauge({
    name: "firerunner_leader_since_timestamp_seconds",
    help: "Since when this process leads, in seconds since 1970. 0 where it stands by.",
    registers,
  });
  const terms = new Counter({ name: "firerunner_leaderships_total", help: "How often this process began to lead.", registers });
  let lag = () => 0;
  new Gauge({
    name: "firerunner_store_lag_seconds",
    help: "Seconds for which the store has been out of this process's reach: so old may be what it knows. 0 while it is within reach.",
    registers,
    collect() {
      this.set(lag());
    },
  });
  let count = () => 1;
  new Gauge({
    name: "firerunner_replicas",
    help: "Processes that share the store and were heard of lately, this one included.",
    registers,
    collect() {
      this.set(count());
    },
  });
  return {
    leads(term) {
      leader.set(term === undefined ? 0 : 1);
      epochs.set(term === undefined ? 0 : Number.parseInt(term.epoch, 10) || 0);
      since.set(term === undefined ? 0 : term.since / 1000);
      if (term !== undefined) terms.inc();
    },
    measureStoreLag(source) {
      lag = source;
    },
    countReplicas(source) {
      count = source;
    },
  };
}
