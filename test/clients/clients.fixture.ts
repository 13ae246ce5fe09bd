import { join } from "node:path";
import { describe, onTestFinished } from "vitest";
import { builtClient, type ClientKind, clientSources, findClient } from "../../scripts/clients.js";
import { type LineProgram, startLineProgram } from "./line-program.fixture.js";

/** `describe` with an independent client; skipped without it, which is an error where CI=true. */
export function describeWith(kind: ClientKind, name: string, body: () => void): void {
  (findClient(kind) === undefined ? describe.skip : describe)(name, body);
}

/** Starts a program in Rust, which ends with the test. */
export function startRust(program: "serve-mock" | "take-jobs", ...args: readonly string[]): LineProgram {
  return endsWithTest(startLineProgram([join(builtClient("rust"), program), ...args]));
}

/** Starts python-gitlab with an access token; it ends with the test. */
export function startPython(gitlab: { readonly url: string; readonly token: string }): LineProgram {
  const python = join(builtClient("python"), "bin", "python");
  return endsWithTest(startLineProgram([python, join(clientSources.python, "calls.py"), gitlab.url, gitlab.token]));
}

function endsWithTest(program: LineProgram): LineProgram {
  onTestFinished(() => program.stop());
  return program;
}
