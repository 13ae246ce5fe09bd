import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { type Clock, systemClock } from "../model/clock.js";
import { FireRunnerError } from "../model/errors.js";
import type { Logger } from "../telemetry/logger.js";

/** A certificate and its key, as PEM. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Reads the pair and makes sure that it can be served; `FR-CONFIG` names the files and what is wrong. */
export async function readTlsPair(files: TlsFiles): Promise<TlsPair> {
  try {
    const [cert, key] = await Promise.all([readFile(files.certFile, "utf8"), readFile(files.keyFile, "utf8")]);
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", `reading the certificate ${files.certFile} and its key ${files.keyFile}`);
  }
}

export interface TlsWatchOptions {
  readonly files: TlsFiles;
  /** The pair that is served now. */
  readonly current: TlsPair;
  readonly onChange: (pair: TlsPair) => void;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly intervalMs?: number;
}

/**
 * Looks at the files again and again and hands on a new pair. The content is compared, not the files' times, so that
 * symbolic links that are exchanged (as Kubernetes does) are seen. A pair that cannot be served, for example between the
 * renewal of certificate and key, is told once in the log and the old one stays.
 */
export function watchTlsFiles(options: TlsWatchOptions): { stop(): Promise<void> } {
  const clock = options.clock ?? systemClock;
  let current = options.current;
  let complaint = "";
  let stopped = false;
  let look: Promise<void> = Promise.resolve();
  let cancel = schedule();

  function schedule(): () => void {
    return clock.after(options.intervalMs ?? 5000, () => {
      look = compare().then(() => {
        if (!stopped) cancel = schedule();
      });
    });
  }

  async function compare(): Promise<void> {
    try {
      const pair = await readTlsPair(options.files);
      complaint = "";
      if (stopped || (pair.cert === current.cert && pair.key === current.key)) return;
      options.onChange(pair);
      current = pair;
      options.logger.info({ certFile: options.files.certFile }, "the certificate has changed and is served from now on");
    } catch (caught) {
      const error = FireRunnerError.from(caught, "FR-CONFIG", "loading a changed certificate");
      if (error.message === complaint) return;
      complaint = error.message;
      options.logger.error({ error, certFile: options.files.certFile }, "the changed certificate cannot be used; the old one is served on");
    }
  }

  return {
    async stop() {
      stopped = true;
      cancel();
      await look;
    },
  };
}
