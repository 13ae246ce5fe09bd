import { defineCommand } from "citty";
import type { DeadLetter } from "../../model/dead-letter.js";
import { createAdminClient } from "../admin-client.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import { type Format, outputArg, structured } from "../output/render.js";
import { type Cell, clean, table } from "../output/table.js";
import { duration, timestamp } from "../output/times.js";
import type { Terminal } from "../terminal.js";
import { whoAmI } from "../who-am-i.js";

type ShownLetter = DeadLetter & { readonly key: string };

const keyArg = { key: { type: "positional", required: true, description: "The letter's key, as `firerunner dlq ls` shows it" } } as const;

/** `firerunner dlq`: what failed beyond its budget and was set aside, and what to do about it. */
export const dlqCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner dlq", description: "What kept failing and was set aside: dead letters" },
    subCommands: { ls: lsCommand(terminal), show: showCommand(terminal), retry: retryCommand(terminal), drop: dropCommand(terminal) },
  });

const lsCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner dlq ls", description: "List dead letters" },
    args: { ...outputArg, ...clientArgs },
    async run({ args }) {
      const client = createAdminClient(await clientSettings(args, terminal.env));
      const letters = (await client.list("/v1/dead-letters")) as readonly ShownLetter[];
      if (args.output === "json" || args.output === "yaml") terminal.print(structured(letters, args.output));
      else if (letters.length === 0) terminal.complain("there are no dead letters");
      else terminal.print(listed(letters, args.output, terminal));
    },
  });

const showCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner dlq show", description: "Show one dead letter with its history" },
    args: { ...keyArg, ...outputArg, ...clientArgs },
    async run({ args }) {
      const client = createAdminClient(await clientSettings(args, terminal.env));
      const letter = (await client.read(pathOf(args.key))) as ShownLetter;
      if (args.output === "json" || args.output === "yaml") terminal.print(structured(letter, args.output));
      else terminal.print(shown(letter, terminal));
    },
  });

const retryCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner dlq retry", description: "Try it again now" },
    args: { ...keyArg, ...clientArgs },
    async run({ args }) {
      const client = createAdminClient(await clientSettings(args, terminal.env));
      await client.post(`${pathOf(args.key)}/retry`, {}, whoAmI(terminal.env));
      terminal.print(`${args.key} is ${terminal.style("tried again", "yellow")}; it goes from the list when it succeeds`);
    },
  });

const dropCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner dlq drop", description: "Give it up for good; removals cannot be given up" },
    args: { ...keyArg, ...clientArgs },
    async run({ args }) {
      const client = createAdminClient(await clientSettings(args, terminal.env));
      await client.remove(pathOf(args.key), whoAmI(terminal.env));
      terminal.print(`${args.key} is ${terminal.style("dropped", "yellow")}: it is not tried any more`);
    },
  });

const pathOf = (key: string): string => `/v1/dead-letters/${encodeURIComponent(key)}`;

const triedColours = { slowly: "yellow", "when-asked": "red", never: "red" } as const;
const triedTexts = { slowly: "every 10m", "when-asked": "when asked", never: "never" } as const;

const triedCell = ({ tried, asked }: DeadLetter): Cell =>
  asked === undefined ? { text: triedTexts[tried], colour: triedColours[tried] } : `${asked.what} asked`;

function listed(letters: readonly ShownLetter[], format: Format, { style }: Terminal): string {
  const now = Date.now();
  const wide = format === "wide";
  const rows = letters.map((letter): readonly Cell[] => {
    const last = letter.failures.at(-1);
    const row: readonly Cell[] = [
      letter.key,
      triedCell(letter),
      String(letter.attempts),
      `${duration(now - letter.firstFailureAt)} ago`,
      `${duration(now - letter.lastFailureAt)} ago`,
      last?.code ?? "-",
    ];
    return wide ? [...row, last?.message ?? "-"] : row;
  });
  return table(["KEY", "TRIED", "ATTEMPTS", "FIRST", "LAST", "CODE", ...(wide ? ["MESSAGE"] : [])], rows, style);
}

function shown(letter: ShownLetter, { style }: Terminal): string {
  const { key, action, target, attempts, firstFailureAt, lastFailureAt, parkedAt, failures, asked } = letter;
  const about = Object.entries(target).map(
    ([field, value]) => `${field}=${typeof value === "object" ? `${value.kind}/${value.key}` : value}`,
  );
  const lines = [
    `key: ${key}`,
    `action: ${action}`,
    `about: ${about.join(" ")}`,
    `tried: ${triedTexts[letter.tried]}`,
    `attempts: ${attempts}`,
    `first failure: ${timestamp(firstFailureAt)}`,
    `last failure: ${timestamp(lastFailureAt)}`,
    `set aside: ${timestamp(parkedAt)}`,
    ...(asked === undefined ? [] : [`asked: ${asked.what}, by ${asked.by} at ${timestamp(asked.at)}`]),
  ].map(clean);
  const rows = failures.map(({ at, code, message }) => [timestamp(at), code, message]);
  return `${lines.join("\n")}\n\n${table(["FAILED AT", "CODE", "MESSAGE"], rows, style)}`;
}
