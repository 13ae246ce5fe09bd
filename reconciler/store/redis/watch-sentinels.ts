import type { Random } from "../../model/clock.js";
import { openConnection } from "./connection.js";
import { reconnectDelayMs } from "./reconnect-delay.js";
import type { Endpoint, RedisServer } from "./redis-server.js";

/** What a Sentinel publishes as soon as it tells of another master: the one that makes it before its replicas follow, the others after that. */
const channels = ["+failover-state-reconf-slaves", "+switch-master"];

export interface SentinelWatch {
  /** Ends all connections; settles when nothing is under way. */
  stop(): Promise<void>;
}

/**
 * Listens to every Sentinel, each over a connection that is made anew for ever; `onNews` hears which of them, by its place, tells of
 * another master. Nothing rests on it: a Sentinel that cannot be listened to is asked all the same.
 */
export function watchSentinels(
  server: RedisServer & { readonly kind: "sentinel" },
  random: Random,
  onNews: (sentinel: number) => void,
): SentinelWatch {
  const watches = server.sentinels.map((endpoint, place) => new Watch(endpoint, server, random, () => onNews(place)));
  return {
    async stop() {
      await Promise.all(watches.map((watch) => watch.stop()));
    },
  };
}

class Watch {
  private isStopped = false;
  private endWait: () => void = () => {};
  private readonly running: Promise<void>;

  constructor(
    private readonly sentinel: Endpoint,
    private readonly server: RedisServer & { readonly kind: "sentinel" },
    private readonly random: Random,
    private readonly onNews: () => void,
  ) {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.endWait();
    await this.running;
  }

  private async run(): Promise<void> {
    for (let failures = 0; !this.isStopped; failures++) {
      // Whoever asks this Sentinel for the master says what is wrong with it.
      if (await this.listen().catch(() => false)) failures = 0;
      await this.wait(reconnectDelayMs(failures, this.random.next()));
    }
  }

  /** Listens until the connection is lost. */
  private async listen(): Promise<true> {
    const { name, tls, sentinelPassword } = this.server;
    let isLost = false;
    const connection = await openConnection({
      endpoint: this.sentinel,
      ...(tls === undefined ? {} : { tls }),
      ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
      onLost: () => {
        isLost = true;
        this.endWait();
      },
    });
    try {
      await connection.subscribe(channels, (message) => {
        if (message.split(" ").includes(name)) this.onNews();
      });
      if (!isLost) await this.wait();
      return true;
    } finally {
      connection.close();
    }
  }

  /** Until `ms` are over or it is ended; without `ms`, until it is ended. */
  private wait(ms?: number): Promise<void> {
    if (this.isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
