import { spawn } from "node:child_process";
import { FireRunnerError } from "../model/errors.js";
import { type Part, partSchema } from "./simulate-record.js";

/** Most of what a world makes is of no use a moment later: with room for that, little of it is ever looked at again. */
const forYoungObjects = "--max-semi-space-size=64";

/** Another process of the same program plays the seeds; it ends with 1 when something was broken, and says on its standard output what. */
export function playElsewhere(
  seed: number,
  seeds: number,
  { jobs, bail }: { readonly jobs: number | undefined; readonly bail: boolean },
): Promise<Part> {
  const program = process.argv[1];
  if (program === undefined) throw new FireRunnerError("FR-INTERNAL", "simulate: this process does not know its program");
  const options = [...(jobs === undefined ? [] : ["--jobs", String(jobs)]), ...(bail ? ["--bail"] : [])];
  const range = ["--seed", String(seed), "--seeds", String(seeds)];
  const args = [forYoungObjects, ...process.execArgv, program, "simulate", ...range, ...options];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...args, "--workers", "1", "--no-examine", "-o", "json"], { stdio: ["ignore", "pipe", "pipe"] });
    let [answer, complaint] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = `${complaint}${text}`.slice(-2_000);
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      try {
        resolve(partSchema.parse(JSON.parse(answer)));
      } catch {
        const last = seed + seeds - 1;
        reject(
          new FireRunnerError(
            "FR-INTERNAL",
            `simulate: the process of seeds ${seed} to ${last} ended with ${code ?? signal}: ${complaint}`,
          ),
        );
      }
    });
  });
}
