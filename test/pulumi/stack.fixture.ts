import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { describe, inject } from "vitest";
import { type Child, startChild } from "../e2e/child.fixture.js";
import type { Ground } from "./global-setup.js";
import { killTree } from "./process-tree.fixture.js";

/** `describe` with the real Pulumi; skipped without one, which is an error where CI=true. */
export function describePulumi(name: string, body: () => void): void {
  (typeof inject("pulumi") === "string" ? describe.skip : describe)(name, body);
}

/** What all tests share. */
export function ground(): Ground {
  const given = inject("pulumi");
  if (typeof given === "string") throw new Error(given);
  return given;
}

/** One thing that the engine did, or would do in a preview. */
interface Step {
  readonly op: string;
  readonly type: string;
  readonly name: string;
  /** The inputs that differ. */
  readonly diffs: readonly string[];
}

/** A run of the command that has ended. */
export interface Run {
  /** Its exit code, or the signal that ended it. */
  readonly ended: number | NodeJS.Signals;
  /** All that it wrote. */
  readonly output: string;
  /** How many resources by what was done with them, the stack itself aside; undefined when the run ended before its summary. */
  readonly changes: Readonly<Record<string, number>> | undefined;
  /** What was done with the resources; the stack itself, providers, reads of a refresh and what stayed the same aside. */
  readonly steps: readonly Step[];
}

/** A resource as the state file keeps it. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly initErrors?: readonly string[];
}

/** A stack with a state of its own, in files. */
export interface Stack {
  readonly folder: string;
  /** Where the command keeps what is its own. */
  readonly home: string;
  /** Replaces the program: CommonJS with `firerunner` and `pulumi` at hand. */
  write(program: string): void;
  /** Runs the command to its end. Rejects when it ends otherwise than expected: 0 when nothing else is said. */
  run(args: readonly string[], options?: RunOptions): Promise<Run>;
  /** Starts the command. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Child;
  up(options?: RunOptions): Promise<Run>;
  preview(options?: RunOptions): Promise<Run>;
  refresh(options?: RunOptions): Promise<Run>;
  destroy(options?: RunOptions): Promise<Run>;
  /** The outputs of the program. */
  outputs(): Promise<Readonly<Record<string, unknown>>>;
  /** The dynamic resources in the state. */
  resources(): readonly StateResource[];
  /** Every file that the command keeps, by its path: state, its backups and history, configuration, the event log. */
  everythingKept(): Readonly<Record<string, string>>;
}

interface RunOptions {
  /** `fails`: it must end with an error. */
  readonly expect?: "succeeds" | "fails";
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly deadlineMs?: number;
}

export interface StackOptions {
  /** The text of the program; see `Stack.write`. */
  readonly program?: string;
  /** A folder with a program and its Pulumi.yaml, instead of one of its own below the shared project. */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What the stack is called: `dev` when left out. */
  readonly stack?: string;
  /** Whose state it shares, so that it can refer to that other stack. */
  readonly beside?: Stack;
  readonly config?: Readonly<Record<string, string>>;
  /** Configuration that is kept encrypted. */
  readonly secrets?: Readonly<Record<string, string>>;
}

const head = `"use strict";
const pulumi = require("@pulumi/pulumi");
const firerunner = require("firerunner");
`;
const runDeadlineMs = 180_000;
let stacks = 0;

/** Makes a stack. */
export async function createStack(name: string, options: StackOptions = {}): Promise<Stack> {
  const { bin, project } = ground();
  stacks += 1;
  const folder = options.folder ?? join(project, "stacks", `${name}-${process.pid}-${stacks}`);
  const home = options.beside?.home ?? join(project, "homes", `${name}-${process.pid}-${stacks}`);
  const stackName = options.stack ?? "dev";
  const backend = join(home, "backend");
  mkdirSync(folder, { recursive: true });
  mkdirSync(backend, { recursive: true });
  const events = join(home, "events.jsonl");
  const ownEnv: Readonly<Record<string, string>> = {
    PATH: [dirname(process.execPath), bin, process.env.PATH ?? ""].join(delimiter),
    HOME: home,
    NO_COLOR: "1",
    PULUMI_HOME: join(home, "pulumi"),
    PULUMI_BACKEND_URL: `file://${backend}`,
    PULUMI_CONFIG_PASSPHRASE: "a passphrase of the tests",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_SKIP_CONFIRMATIONS: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_DISABLE_REGISTRY_RESOLVE: "true",
    // The option --event-log hides behind this.
    PULUMI_DEBUG_COMMANDS: "true",
    ...options.env,
  };

  const write = (program: string): void => writeFileSync(join(folder, "index.js"), `${head}${program}`);
  const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Child =>
    startChild(["pulumi", "--non-interactive", ...args], { cwd: folder, env: { ...ownEnv, ...env } });
  async function run(
    args: readonly string[],
    { expect = "succeeds", env = {}, deadlineMs = runDeadlineMs }: RunOptions = {},
  ): Promise<Run> {
    const child = start(args, env);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      killTree(child.pid);
    }, deadlineMs);
    const ended = await child.ended.finally(() => clearTimeout(timer));
    const output = child.output();
    const told = `pulumi ${args.join(" ")} ended with ${ended}${late ? ` after its deadline of ${deadlineMs / 1000} s` : ""}:\n${output}`;
    if (late || (ended === 0) !== (expect === "succeeds")) throw new Error(told);
    return { ended, output, ...readEvents(events) };
  }
  async function operate(command: string, options: RunOptions = {}): Promise<Run> {
    rmSync(events, { force: true });
    return run([command, "--stack", stackName, "--event-log", events, ...(options.args ?? [])], options);
  }

  if (options.folder === undefined) {
    const runtime = { name: "nodejs", options: { typescript: false } };
    writeFileSync(join(folder, "Pulumi.yaml"), JSON.stringify({ name, runtime }));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name, main: "index.js", private: true }));
  }
  if (options.program !== undefined) write(options.program);
  await run(["stack", "init", stackName]);
  const set = [...flags("--plaintext", options.config ?? {}), ...flags("--secret", options.secrets ?? {})];
  if (set.length > 0) await run(["config", "set-all", "--stack", stackName, ...set]);
  return {
    folder,
    home,
    write,
    run,
    start,
    up: (runOptions) => operate("up", { ...runOptions, args: ["--skip-preview", ...(runOptions?.args ?? [])] }),
    preview: (runOptions) => operate("preview", runOptions),
    refresh: (runOptions) => operate("refresh", { ...runOptions, args: ["--skip-preview", ...(runOptions?.args ?? [])] }),
    destroy: (runOptions) => operate("destroy", { ...runOptions, args: ["--skip-preview", ...(runOptions?.args ?? [])] }),
    async outputs() {
      const { output } = await run(["stack", "output", "--json", "--stack", stackName]);
      return JSON.parse(output) as Readonly<Record<string, unknown>>;
    },
    resources: () => readResources(backend),
    everythingKept: () => Object.fromEntries([home, folder].flatMap(filesBelow).map(([path, text]) => [path, withoutDebug(text)])),
  };
}

const flags = (flag: string, values: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(values).flatMap(([key, value]) => [flag, `${key}=${value}`]);

interface EventLine {
  readonly summaryEvent?: { readonly resourceChanges?: Readonly<Record<string, number>> };
  readonly resourcePreEvent?: {
    readonly metadata: { readonly op: string; readonly urn: string; readonly type: string; readonly diffs?: readonly string[] | null };
  };
}

function readEvents(path: string): Pick<Run, "changes" | "steps"> {
  if (!existsSync(path)) return { changes: undefined, steps: [] };
  const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
  const all = lines.map((line) => JSON.parse(line) as EventLine);
  const steps = all.flatMap(({ resourcePreEvent }) => {
    if (resourcePreEvent === undefined) return [];
    const { op, urn, type, diffs } = resourcePreEvent.metadata;
    if (op === "same" || op === "refresh" || /^pulumi:(pulumi:Stack|providers:)/.test(type)) return [];
    return [{ op, type, name: urn.slice(urn.lastIndexOf("::") + 2), diffs: diffs ?? [] }];
  });
  return { changes: all.find(({ summaryEvent }) => summaryEvent !== undefined)?.summaryEvent?.resourceChanges, steps };
}

function readResources(backend: string): readonly StateResource[] {
  const folder = join(backend, ".pulumi", "stacks");
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name.endsWith(".json"),
  );
  return files.flatMap((entry) => {
    const { checkpoint } = JSON.parse(readFileSync(join(entry.parentPath, entry.name), "utf8")) as {
      readonly checkpoint: { readonly latest?: { readonly resources?: readonly StateResource[] } };
    };
    return (checkpoint.latest?.resources ?? []).filter(({ type }) => type.startsWith("pulumi-nodejs:"));
  });
}

/** In its debug lines, which are shown on demand alone, the SDK prints whole messages with every secret of any resource. */
function withoutDebug(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.endsWith('"severity":"debug"}}'))
    .join("\n");
}

function filesBelow(folder: string): readonly (readonly [string, string])[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name)).map((path) => [path, readFileSync(path, "latin1")]);
}
