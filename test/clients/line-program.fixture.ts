import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Json } from "../../reconciler/embedded/gitlab/gitlab.fixture.js";

/** A program that is asked by lines of JSON on its standard input, and answers on its standard output, one line for one. */
export interface LineProgram {
  /** The next line that it writes unasked. */
  next(): Promise<Json>;
  /** Its answer to a request. */
  ask(request: Readonly<Record<string, unknown>>): Promise<Json>;
  /** What it has written to standard error so far. */
  said(): string;
  /** Lets it end by itself, and ends it when it does not. */
  stop(): Promise<void>;
}

const answerMs = 60_000;
const endMs = 5_000;

/** Starts a command with an environment that holds nothing but PATH: no proxy comes between it and loopback. */
export function startLineProgram([file = "", ...args]: readonly string[]): LineProgram {
  const child = spawn(file, args, { env: { PATH: process.env.PATH }, stdio: ["pipe", "pipe", "pipe"] });
  const lines: string[] = [];
  const waiting: { readonly take: (line: string) => void; readonly fail: (error: Error) => void }[] = [];
  let errors = "";
  let over: Error | undefined;
  const ended = new Promise<void>((resolve) => {
    const end = (why: string) => {
      over ??= new Error(`${file} ended (${why}):\n${errors}`);
      for (const { fail } of waiting.splice(0)) fail(over);
      resolve();
    };
    child.once("error", (error) => end(error.message));
    child.once("close", (code, signal) => end(String(code ?? signal)));
  });
  child.stderr.on("data", (data: Buffer) => {
    errors += data.toString("utf8");
  });
  // What was asked of a program that has just ended cannot be written; that it ended is told by then.
  child.stdin.on("error", () => {});
  createInterface({ input: child.stdout }).on("line", (line) => {
    const first = waiting.shift();
    if (first === undefined) lines.push(line);
    else first.take(line);
  });

  async function next(): Promise<Json> {
    const line = lines.shift() ?? (await nextLine());
    return JSON.parse(line);
  }

  function nextLine(): Promise<string> {
    return new Promise((resolve, reject) => {
      if (over !== undefined) return reject(over);
      const timer = setTimeout(() => reject(new Error(`${file} did not answer within ${answerMs / 1000} s:\n${errors}`)), answerMs);
      waiting.push({
        take: (line) => {
          clearTimeout(timer);
          resolve(line);
        },
        fail: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  return {
    next,
    ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return next();
    },
    said: () => errors,
    async stop() {
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), endMs);
      await ended;
      clearTimeout(timer);
    },
  };
}
