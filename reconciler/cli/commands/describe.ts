import { defineCommand } from "citty";
import type { HostStatus } from "../../http/host-status.js";
import type { BootStage } from "../../model/boot-stages.js";
import type { Condition } from "../../model/condition.js";
import type { Event } from "../../model/event.js";
import { type AdminClient, createAdminClient } from "../admin-client.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import type { ShownJob } from "../find-job.js";
import { jobStory } from "../job-story.js";
import { kindOf, type ShownKind } from "../kinds.js";
import { eventMessage } from "../output/event-message.js";
import { structured } from "../output/render.js";
import { clean, table } from "../output/table.js";
import { timestamp } from "../output/times.js";
import type { Terminal } from "../terminal.js";
import { readOne } from "./get.js";

/** `firerunner describe KIND NAME`: the record, what is true of it and what happened to it; of a job also why it waits. */
export const describeCommand = (terminal: Terminal) =>
  defineCommand({
    meta: {
      name: "firerunner describe",
      description: "Show one thing: its record, conditions and events; of a job, why it waits and its times",
    },
    args: {
      kind: { type: "positional", required: true, description: "host, image, connection, pool, microvm or job" },
      name: { type: "positional", required: true, description: "Its name; a job is CONNECTION/PROJECT/JOB or its id" },
      ...clientArgs,
    },
    async run({ args }) {
      const kind = kindOf(args.kind);
      const client = createAdminClient(await clientSettings(args, terminal.env));
      const record = await readOne(kind, args.name, client);
      const name = kind.name === "job" ? (record as ShownJob).key : args.name;
      const section = (title: string, text: string) => terminal.print(`\n${terminal.style(title, "bold")}\n${text}`);

      terminal.print(terminal.style(`${kind.name} ${name}`, "bold"));
      if (kind.name === "job") {
        const story = jobStory(record as ShownJob, Date.now());
        if (story.waiting !== undefined) terminal.print(`${terminal.style("waiting", "yellow")}: ${clean(story.waiting)}`);
        section("Timeline", table(["AT", "WHAT", "AFTER"], story.steps, terminal.style));
      }
      if (kind.name === "host") {
        const {
          operations: _operations,
          conditions: _conditions,
          ...status
        } = (await client.read(`/v1/hosts/${encodeURIComponent(name)}/status`)) as HostStatus;
        section("Status", structured(withTimes(status), "yaml"));
      }
      const { boot, ...rest } = record as { readonly boot?: readonly BootStage[] };
      if (boot !== undefined) section("Boot", bootTable(boot, terminal.style));
      section("Record", structured(withTimes(rest), "yaml"));
      const conditions = await conditionsOf(kind, name, client);
      if (conditions.length > 0) section("Conditions", conditionTable(conditions, terminal.style));
      const events = await eventsOf(kind, name, record, client);
      section("Events", events.length === 0 ? "none" : eventTable(events, terminal.style));
    },
  });

async function conditionsOf(kind: ShownKind, name: string, client: AdminClient): Promise<readonly Condition[]> {
  return (await client.list("/v1/conditions", { kind: kind.name, name })) as readonly Condition[];
}

/** A job's story is told by its microVM's and runner's events too: they share its trace. */
async function eventsOf(kind: ShownKind, name: string, record: unknown, client: AdminClient): Promise<readonly Event[]> {
  const query: Readonly<Record<string, string>> =
    kind.name === "job" ? { traceId: (record as ShownJob).traceId } : { subject: `${kind.name}/${name}` };
  return (await client.list("/v1/events", query)) as readonly Event[];
}

/** Points in time as people read them: their fields are `at` or end in `At`. */
function withTimes(record: unknown): unknown {
  if (Array.isArray(record)) return record.map(withTimes);
  if (typeof record !== "object" || record === null) return record;
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [
      key,
      (key === "at" || key.endsWith("At")) && typeof value === "number" ? timestamp(value) : withTimes(value),
    ]),
  );
}

/** How long each stage took, and when it was over, since the microVM was decided on. */
function bootTable(boot: readonly BootStage[], style: Terminal["style"]): string {
  let reachedMs = 0;
  const rows = boot.map(({ stage, tookMs }) => {
    reachedMs += tookMs;
    // Between the claim and the runner a microVM may have been parked.
    return [stage, `${tookMs} ms`, stage === "runner" ? "" : `${reachedMs} ms`];
  });
  return table(["STAGE", "TOOK", "REACHED AFTER"], rows, style);
}

function conditionTable(conditions: readonly Condition[], style: Terminal["style"]): string {
  const rows = conditions.map(({ type, status, reason, message, observedAt }) => [
    type,
    String(status),
    reason,
    timestamp(observedAt),
    message,
  ]);
  return table(["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"], rows, style);
}

function eventTable(events: readonly Event[], style: Terminal["style"]): string {
  return table(
    ["AT", "TYPE", "SUBJECT", "MESSAGE"],
    events.map((event) => [timestamp(event.at), event.type, `${event.subject.kind}/${event.subject.name}`, eventMessage(event)]),
    style,
  );
}
