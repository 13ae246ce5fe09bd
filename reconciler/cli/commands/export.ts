import { defineCommand } from "citty";
import { type AdminApi, listDeclared } from "../../../provider/admin-api.js";
import { importFileOf } from "../../../provider/import-file.js";
import { systemClock } from "../../model/clock.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import { structured } from "../output/render.js";
import type { Terminal } from "../terminal.js";
import { UsageError } from "../usage-error.js";

/** `firerunner export`: what is declared, as a fleet file or as a file for `pulumi import`. */
export const exportCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner export", description: "Print what is declared, to be declared elsewhere or by other means" },
    args: {
      fleet: { type: "boolean", description: "As a fleet file, which `firerunner apply -f` takes" },
      "pulumi-import": { type: "boolean", description: "As a file for `pulumi import --file` (Pulumi CLI 3.254 or later)" },
      ...clientArgs,
    },
    async run({ args }) {
      const pulumi = args["pulumi-import"] === true;
      if (pulumi === (args.fleet === true)) throw new UsageError("give one of --fleet and --pulumi-import");
      const api = await clientSettings(args, terminal.env);
      const { signal } = new AbortController();
      const context = { api, clock: systemClock, signal, say: terminal.complain };
      terminal.print(pulumi ? structured(await importFileOf(context), "json") : structured(await fleetOf(api), "yaml"));
    },
  });

async function fleetOf(api: AdminApi): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const specs = async (kind: Parameters<typeof listDeclared>[1]) => (await listDeclared(api, kind)).map(({ spec }) => spec);
  return { hosts: await specs("host"), images: await specs("image"), connections: await specs("connection"), pools: await specs("pool") };
}
