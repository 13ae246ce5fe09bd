import { mkdir, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import type { Clock, Random } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import { parseOrRefuse } from "../../model/validation.js";
import { createWorld } from "./create-world.js";
import { type DialsInput, dialsSchema } from "./dials.js";
import { createServer } from "./http/server.js";

export interface EmbeddedGitLabOptions {
  /** `ADDRESS:PORT`; port 0 takes a free one. */
  readonly listen: string;
  /**
   * Repositories and job logs are kept here, in `repositories` and `logs`. Everything else is in memory, so what an
   * earlier one left in these two is removed at the start.
   */
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  /** The administrator's access token; made up when left out. */
  readonly token?: string;
  /** How it is reached by others, when that is not its own address. */
  readonly externalUrl?: string;
  readonly dials?: DialsInput;
}

/** A running GitLab of the development world. */
export interface EmbeddedGitLab {
  /** Its address without a trailing slash; the API is at `<url>/api/v4`. */
  readonly url: string;
  /** The administrator's access token. */
  readonly token: string;
  /** Sets what goes wrong and how fast; what is left out is as at the start. The same as `PUT /-/dials`. */
  setDials(dials: DialsInput): void;
  /** How many webhooks are being delivered; those that the dials hold back do not count. */
  hooksUnderWay(): number;
  /** Settles when every webhook so far was delivered, or was given up. */
  hooksDelivered(): Promise<void>;
  /** Ends every connection, webhook and git process, and settles when they are gone. */
  stop(): Promise<void>;
}

/**
 * Starts a small GitLab: projects with git repositories, pipelines from their `.gitlab-ci.yml`, runners, jobs, logs and
 * webhooks, over HTTP as GitLab speaks it. Rejects with `FR-CONFIG` when it cannot listen, `FR-INVALID` for bad dials.
 */
export async function startEmbeddedGitLab(options: EmbeddedGitLabOptions): Promise<EmbeddedGitLab> {
  const { clock, random } = options;
  const { host, port } = addressOf(options.listen);
  const directory = resolve(options.directory);
  for (const left of ["repositories", "logs"]) await rm(join(directory, left), { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const token = options.token ?? `glpat-${random.hex(10)}`;
  const dials = (input: DialsInput) => parseOrRefuse(dialsSchema, input, "dials");
  let url = options.externalUrl?.replace(/\/+$/, "");

  const world = createWorld({ directory, clock, random, token, url: () => url ?? "" });
  const app = createServer(world);
  try {
    if (options.dials !== undefined) world.setDials(dials(options.dials));
    await app.listen({ host, port });
  } catch (caught) {
    await Promise.all([world.stop(), app.close()]);
    throw FireRunnerError.from(caught, "FR-CONFIG", `binding the embedded GitLab to ${options.listen}`);
  }
  url ??= urlOf(app.addresses()[0], host);

  let stopping: Promise<void> | undefined;
  return {
    url,
    token,
    setDials: (input) => world.setDials(dials(input)),
    hooksUnderWay: world.deliveries.underWay,
    hooksDelivered: world.deliveries.idle,
    stop() {
      stopping ??= Promise.all([world.stop(), app.close()]).then(() => {});
      return stopping;
    },
  };
}

function addressOf(listen: string): { readonly host: string; readonly port: number } {
  const parts = /^(?:\[([0-9a-fA-F:]+)\]|([^\s:/]+)):(\d{1,5})$/.exec(listen);
  if (parts === null || Number(parts[3]) > 65_535) {
    throw new FireRunnerError("FR-INVALID", `listen: "${listen}" is refused: must be ADDRESS:PORT, for example 127.0.0.1:8080`);
  }
  const host = parts[1] ?? parts[2] ?? "";
  return { host: host === "localhost" ? "127.0.0.1" : host, port: Number(parts[3]) };
}

/** The address with the port that was really taken. */
function urlOf(bound: AddressInfo | string | undefined, host: string): string {
  if (bound === undefined || typeof bound === "string") throw new FireRunnerError("FR-INTERNAL", "the embedded GitLab has no address");
  return `http://${host.includes(":") ? `[${host}]` : host}:${bound.port}`;
}
