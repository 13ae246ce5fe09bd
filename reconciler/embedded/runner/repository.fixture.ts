import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export interface TestRepository {
  readonly url: string;
  /** Its commits on `main`, the oldest first. */
  readonly shas: readonly string[];
  /** Forces `main` to a first commit of its own, so that no branch leads to the others; they are given by name alone. */
  startAnew(text: string): void;
}

/** A git repository whose commits give `file` one text after another. It is gone after the test. */
export function makeRepository(file: string, texts: readonly string[]): TestRepository {
  const directory = mkdtempSync(join(tmpdir(), "fr-repository-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-C", directory, "-c", "user.name=T", "-c", "user.email=t@test", ...args], {
      encoding: "utf8",
      stdio: "pipe",
    }).trim();
  git("-c", "init.defaultBranch=main", "init", "--quiet");
  const shas = texts.map((text) => {
    writeFileSync(join(directory, file), text);
    git("add", file);
    git("commit", "--quiet", "-m", "Change it");
    return git("rev-parse", "HEAD");
  });
  return {
    url: `file://${directory}`,
    shas,
    startAnew(text) {
      git("config", "uploadpack.allowAnySHA1InWant", "true");
      git("checkout", "--quiet", "--orphan", "anew");
      writeFileSync(join(directory, file), text);
      git("commit", "--quiet", "--all", "-m", "Start anew");
      git("branch", "--quiet", "--force", "main", "anew");
    },
  };
}
