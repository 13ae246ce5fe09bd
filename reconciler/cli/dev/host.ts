import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineCommand } from "citty";
import { systemRandom } from "../../control/random.js";
import { createProcessDriver } from "../../embedded/host/process-driver.js";
import { startEmbeddedHost } from "../../embedded/host/start-embedded-host.js";
import { systemClock } from "../../model/clock.js";
import type { Terminal } from "../terminal.js";
import { untilAsked } from "../until-asked.js";

/** `firerunner dev host`: one Flintlock-compatible host alone, for anybody's tests. */
export const hostCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner dev host", description: "Run a Flintlock-compatible host whose microVMs are process groups on this machine" },
    args: {
      listen: { type: "string", default: "127.0.0.1:9090", valueHint: "address:port", description: "Where its gRPC API listens" },
      directory: { type: "string", valueHint: "path", description: "Where its microVMs live (default: a new temporary directory)" },
    },
    async run({ args }) {
      const { asked } = untilAsked();
      const directory = args.directory ?? (await mkdtemp(join(tmpdir(), "firerunner-host-")));
      const driver = createProcessDriver({ directory, random: systemRandom });
      const host = await startEmbeddedHost({ listen: args.listen, driver, clock: systemClock, random: systemRandom });
      terminal.print(`Flintlock-compatible host on ${host.address}, microVMs in ${directory}`);
      terminal.print(terminal.style(driver.notice, "yellow"));
      await asked;
      await host.stop();
    },
  });
