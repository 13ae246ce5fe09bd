import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineCommand } from "citty";
import { systemRandom } from "../../control/random.js";
import { createProcessDriver } from "../../embedded/host/process-driver.js";
import { systemClock } from "../../model/clock.js";
import type { Terminal } from "../terminal.js";
import { untilAsked } from "../until-asked.js";
import { faultsArg, readHostFaults, startFaultyHost } from "./host-faults.js";

/** `firerunner dev host`: one Flintlock-compatible host alone, for anybody's tests. */
export const hostCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner dev host", description: "Run a Flintlock-compatible host whose microVMs are process groups on this machine" },
    args: {
      listen: { type: "string", default: "127.0.0.1:9090", valueHint: "address:port", description: "Where its gRPC API listens" },
      directory: { type: "string", valueHint: "path", description: "Where its microVMs live (default: a new temporary directory)" },
      ...faultsArg,
    },
    async run({ args }) {
      const faults = readHostFaults(args.faults);
      const { asked } = untilAsked();
      const directory = args.directory ?? (await mkdtemp(join(tmpdir(), "firerunner-host-")));
      const driver = createProcessDriver({ directory, random: systemRandom });
      const host = await startFaultyHost({ listen: args.listen, driver, clock: systemClock, random: systemRandom }, faults);
      terminal.print(`Flintlock-compatible host on ${host.address}, microVMs in ${directory}`);
      if (faults !== undefined) terminal.print(terminal.style(`Faults: ${faults.notice}`, "yellow"));
      terminal.print(terminal.style(driver.notice, "yellow"));
      await asked;
      await host.stop();
    },
  });
