import { defineCommand } from "citty";
import { type AdminClient, createAdminClient } from "../admin-client.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import { findJob } from "../find-job.js";
import { kindOf, rowContext, type ShownKind } from "../kinds.js";
import { type Format, outputArg, structured } from "../output/render.js";
import { table } from "../output/table.js";
import type { Terminal } from "../terminal.js";
import { UsageError } from "../usage-error.js";

/** `firerunner get KIND [NAME]`: what there is, as a table or as data. */
export const getCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner get", description: "List hosts, images, connections, pools, microvms, jobs, events or replicas" },
    args: {
      kind: { type: "positional", required: true, description: "hosts, images, connections, pools, microvms, jobs, events or replicas" },
      name: { type: "positional", required: false, description: "One of them by its name" },
      ...outputArg,
      ...clientArgs,
    },
    async run({ args }) {
      const kind = kindOf(args.kind);
      const client = createAdminClient(await clientSettings(args, terminal.env));
      const items = args.name === undefined ? await client.list(kind.path) : [await readOne(kind, args.name, client)];
      await show(kind, items, args.output, args.name !== undefined, client, terminal);
    },
  });

/** One thing of a kind, by the name under which it is listed. */
export async function readOne(kind: ShownKind, name: string, client: AdminClient): Promise<unknown> {
  if (kind.name === "event")
    throw new UsageError("events have no names: `firerunner get events` lists them, and describe shows those of one thing");
  return kind.name === "job" ? findJob(client, name) : client.read(`${kind.path}/${encodeURIComponent(name)}`);
}

async function show(
  kind: ShownKind,
  items: readonly unknown[],
  format: Format,
  single: boolean,
  client: AdminClient,
  terminal: Terminal,
): Promise<void> {
  if (format === "json" || format === "yaml") {
    terminal.print(structured(single ? items[0] : items, format));
    return;
  }
  if (items.length === 0) {
    terminal.complain(`there are no ${kind.name}s`);
    return;
  }
  const context = await rowContext(kind, client);
  const columns = kind.columns.filter(({ wide }) => wide === undefined || format === "wide");
  const rows = items.map((item) => columns.map(({ cell }) => cell(item, context)));
  const head = columns.map(({ title }) => title);
  terminal.print(table(head, rows, terminal.style));
}
