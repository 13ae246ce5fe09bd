import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { runnerConfigToml } from "../../../reconciler/guest/runner-config.js";
import { gateway } from "./machines.js";

/** What was heard of one guest: moments of `performance.now()`. */
export interface Heard {
  claimedAt?: number;
  /** How far its boot was when it claimed, in ms since its kernel began, as far as it tells. */
  stages: ReadonlyMap<string, number>;
  /** When its runner asked for a job first. */
  readyAt?: number;
}

/** A service and a GitLab in one, as small as can be: every guest that claims is told to run, and no runner is given a job. */
export interface Landing {
  /** As guests reach it. */
  readonly url: string;
  /** What is heard from now on. */
  listen(): Heard;
  stop(): void;
}

export async function startLanding(): Promise<Landing> {
  let heard: Heard = { stages: new Map() };
  const server = createServer(async (request, response) => {
    const at = performance.now();
    let body = "";
    for await (const chunk of request) body += chunk;
    const path = request.url ?? "";
    if (path.endsWith("/jobs/request")) {
      heard.readyAt ??= at;
      response.writeHead(204).end();
    } else if (path === "/guest/v1/config") {
      response.end(runnerConfigToml({ vm: "vm-one", url: url(), runnerId: 1, token: "glrt-bench" }));
    } else {
      if (path === "/guest/v1/claim" && heard.claimedAt === undefined) {
        heard.claimedAt = at;
        heard.stages = stagesIn(body);
      }
      response.end("action=run\n");
    }
  });
  const url = () => `http://${gateway}:${(server.address() as AddressInfo).port}`;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: url(),
    listen() {
      heard = { stages: new Map() };
      return heard;
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function stagesIn(form: string): ReadonlyMap<string, number> {
  const told = /^boot_stages=(.*)$/m.exec(form)?.[1] ?? "";
  return new Map([...told.matchAll(/([a-z]+):([\d.]+)/g)].map(([, stage, seconds]) => [stage ?? "", Number(seconds) * 1000]));
}
