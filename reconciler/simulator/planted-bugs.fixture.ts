import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** One change of a source file: the text must be there once. */
interface Edit {
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

/** Faults that somebody could make, as changes of the product's source. */
export const plantedBugs: Readonly<Record<string, readonly Edit[]>> = {
  "what an unknown host has is taken for gone": [
    {
      file: "control/execute-on-host.ts",
      find: 'async function checkGone(effect: Extract<Effect, { kind: "checkGone" }>, context: ExecutionContext): Promise<Execution> {\n  const { ports, writes } = context;\n  const host = hostOf(effect.host, context);\n  const found = await ports.flintlock.get(host, effect.uid);',
      put: 'async function checkGone(effect: Extract<Effect, { kind: "checkGone" }>, context: ExecutionContext): Promise<Execution> {\n  const { ports, writes } = context;\n  const host = hostOf(effect.host, context);\n  const found = await ports.flintlock.get(host, effect.uid).catch(() => undefined);',
    },
  ],
  "a deposed leader writes": [
    {
      file: "store/leadership.ts",
      find: "=> current.lease?.epoch === epoch;",
      put: "=> current !== undefined && epoch !== undefined;",
    },
  ],
  "the places of a pool are counted and not derived": [
    {
      file: "plan/supply.ts",
      find: "  private readonly used = new Map<string, number>();",
      put: "  private readonly used = counted;",
    },
    { file: "plan/supply.ts", find: "      if (counts) add(this.used, vm.pool, 1);\n", put: "" },
    {
      file: "plan/supply.ts",
      find: "  leave(vm: Microvm): void {\n",
      put: "  leave(vm: Microvm): void {\n    add(this.used, vm.pool, -1);\n",
    },
    {
      file: "plan/supply.ts",
      find: "/** The microVMs of one class that may serve its jobs",
      put: "const counted = new Map<string, number>();\n\n/** The microVMs of one class that may serve its jobs",
    },
  ],
  "a nonce opens a microVM twice": [
    {
      file: "guest/claims.ts",
      find: "if (report !== undefined && !isSameSession(report, given)) {",
      put: "if (report !== undefined && !isSameSession(report, given) && report.bootId !== given.bootId) {",
    },
  ],
  "an address is free before its microVM is gone": [
    {
      file: "plan/addresses.ts",
      find: "    for (const vm of microvms) {\n",
      put: '    for (const vm of microvms) {\n      if (vm.phase === "deleting") continue;\n',
    },
    {
      file: "plan/addresses.ts",
      find: "?.microvms.values() ?? []) this.take(shown, suffix);",
      put: "?.microvms.values() ?? []) if (shown.mark === undefined) this.take(shown, suffix);",
    },
  ],
};

/** The source with a bug planted in it, apart from the checkout's. */
export function plant(edits: readonly Edit[], into: string): void {
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into, { recursive: true });
  const isSource = (path: string) => !/\.(test|fixture)\.ts$/.test(path);
  cpSync(join(root, "reconciler"), join(into, "reconciler"), { recursive: true, filter: isSource });
  // Several edits of one file are made one after the other.
  for (const edit of edits) writeFileSync(join(into, "reconciler", edit.file), edited(edit, into));
}

/** A file's text with one change made to it; throws when its place is no more as it was. */
export function edited({ file, find, put }: Edit, from = root): string {
  const text = readFileSync(join(from, "reconciler", file), "utf8");
  if (text.split(find).length !== 2) throw new Error(`${file} has not once: ${find}`);
  return text.replace(find, () => put);
}

/** Where planted sources are put: beside the packages that they import. */
export const plantedDirectory = (name: string): string => join(root, ".cache", "planted", name.replaceAll(" ", "-"));

const tallySchema = z.object({ seeds: z.int(), broken: z.array(z.object({ seed: z.int(), violations: z.array(z.string()) })) });

/** Hunts in a planted source until a seed breaks something. Ends the hunt after `mostMs`. */
export function hunt(directory: string, mostMs: number): Promise<z.output<typeof tallySchema>> {
  const bin = join(directory, "reconciler", "cli", "bin.ts");
  const args = ["simulate", "--seeds", "100000", "--workers", "1", "--bail", "--no-examine", "-o", "json"];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", bin, ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), mostMs);
    let [answer, complaint] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    child.once("error", reject);
    child.once("close", () => {
      clearTimeout(timer);
      if (answer === "") reject(new Error(`nothing was found within ${mostMs} ms: ${complaint}`));
      else resolve(tallySchema.parse(JSON.parse(answer)));
    });
  });
}
