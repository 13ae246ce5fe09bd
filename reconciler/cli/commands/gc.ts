import { defineCommand } from "citty";
import { z } from "zod";
import type { Leftover, SweepView } from "../../http/sweep-view.js";
import { createAdminClient } from "../admin-client.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import { outputArg, structured } from "../output/render.js";
import { clean, table } from "../output/table.js";
import { duration } from "../output/times.js";
import type { Terminal } from "../terminal.js";

const begunSchema = z.object({ hosts: z.array(z.string()), connections: z.array(z.string()) });

/** `firerunner gc`: a full sweep now; with `--dry-run`, what one would remove. */
export const gcCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner gc", description: "Search every host and forge for leftovers now, and remove them" },
    args: {
      "dry-run": { type: "boolean", description: "Only show what would be removed, as far as hosts and forges were read" },
      ...outputArg,
      ...clientArgs,
    },
    async run({ args }) {
      const client = createAdminClient(await clientSettings(args, terminal.env));
      const structuredAs = args.output === "json" || args.output === "yaml" ? args.output : undefined;
      if (args["dry-run"] === true) {
        const view = (await client.read("/v1/gc")) as SweepView;
        if (structuredAs === undefined) show(view, terminal);
        else terminal.print(structured(view, structuredAs));
        return;
      }
      const begun = begunSchema.parse(await client.post("/v1/gc", {}));
      if (structuredAs !== undefined) terminal.print(structured(begun, structuredAs));
      else
        terminal.print(
          `hosts (${list(begun.hosts)}) and connections (${list(begun.connections)}) are read now; what nobody needs is removed`,
        );
    },
  });

const list = (names: readonly string[]): string => names.join(", ") || "none";

function show({ at, removes, underWay, leftAlone, read }: SweepView, terminal: Terminal): void {
  if (removes.length === 0) terminal.print("nothing would be removed");
  else terminal.print(leftovers("WOULD GO", removes, terminal));
  if (underWay.length > 0) terminal.print(leftovers("GOING", underWay, terminal));
  for (const { host, message } of leftAlone) terminal.print(clean(`left alone on host ${host}: ${message}`));
  const ages = (kind: string, items: SweepView["read"]["hosts"]) =>
    items.map(({ name, at: readAt }) => `${kind}/${name} ${readAt === undefined ? "never" : `${duration(at - readAt)} ago`}`);
  const all = [...ages("host", read.hosts), ...ages("connection", read.connections)];
  terminal.print(`last searched: ${all.join(", ") || "nothing is declared"}`);
}

function leftovers(title: string, items: readonly Leftover[], { style }: Terminal): string {
  const rows = items.map(({ kind, name, where, why, code }) => [`${kind}/${name}`, where, why, code ?? "-"]);
  return table([title, "WHERE", "WHY", "CODE"], rows, style);
}
