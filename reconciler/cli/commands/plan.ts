import { defineCommand } from "citty";
import type { PlanView } from "../../http/plan-view.js";
import { createAdminClient } from "../admin-client.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import { outputArg, structured } from "../output/render.js";
import { table } from "../output/table.js";
import { duration } from "../output/times.js";
import type { Terminal } from "../terminal.js";

/** `firerunner plan`: what the service would decide and do at this moment. */
export const planCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner plan", description: "Show what the service would decide and do at this moment, and why; nothing is done" },
    args: { ...outputArg, ...clientArgs },
    async run({ args }) {
      const client = createAdminClient(await clientSettings(args, terminal.env));
      const plan = (await client.read("/v1/plan")) as PlanView;
      if (args.output === "json" || args.output === "yaml") {
        terminal.print(structured(plan, args.output));
        return;
      }
      const { at, changes, calls, underWay, wakeAt } = plan;
      if (changes.length + calls.length === 0) terminal.print("nothing is to be done: everything is as it should be");
      if (changes.length > 0) {
        const rows = changes.map(({ kind, name, action, what, code }) => [action, `${kind}/${name}`, what, code ?? "-"]);
        terminal.print(table(["WRITE", "RECORD", "WHY", "CODE"], rows, terminal.style));
      }
      if (calls.length > 0) terminal.print(table(["CALL", "ABOUT", "WHY"], calls.map(callRow), terminal.style));
      if (underWay.length > 0) {
        const rows = underWay.map(({ call, until }) => [call, until === undefined ? "under way" : `again in ${duration(until - at)}`]);
        terminal.print(table(["BEGUN", "STATE"], rows, terminal.style));
      }
      if (wakeAt !== undefined) terminal.print(`something else is to be decided in ${duration(wakeAt - at)}`);
    },
  });

function callRow({ effect, why }: PlanView["calls"][number]): readonly string[] {
  const { kind, ...about } = effect;
  return [
    kind,
    Object.entries(about)
      .map(([field, value]) => `${field}=${value}`)
      .join(" "),
    why,
  ];
}
