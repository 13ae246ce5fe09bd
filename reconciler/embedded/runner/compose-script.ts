import { paint } from "./job-log.js";

/** The text of a bash script that shows each command before it runs it, and ends at the first that fails. */
export function composeScript(commands: readonly string[]): string {
  return `${prelude}${commands.map((command) => `${echo(command)}\n${command}\n`).join("")}`;
}

export interface SourcesOptions {
  readonly repoUrl: string;
  readonly ref: string;
  readonly sha: string;
  readonly refspecs: readonly string[];
  /** Commits of history; 0 is all of it. */
  readonly depth: number;
}

/** Everything when the coordinator names nothing. */
const allRefs = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];

/**
 * The text of a bash script that makes its working directory a clone at the commit. Credentials stay out of the clone:
 * git asks the environment for them, then and when a job's own commands use git.
 */
export function composeSources({ repoUrl, ref, sha, refspecs, depth }: SourcesOptions): string {
  const refs = (refspecs.length > 0 ? refspecs : allRefs).map(quote).join(" ");
  const helper = '!f() { test "$1" = get && printf "username=gitlab-ci-token\\npassword=%s\\n" "$CI_JOB_TOKEN"; }; f';
  const lines = [
    say(depth > 0 ? `Fetching changes with git depth set to ${depth}...` : "Fetching changes..."),
    "git -c init.defaultBranch=main init --quiet",
    `git config credential.helper ${quote(helper)}`,
    `git remote add origin ${quote(repoUrl)}`,
    `git fetch --quiet --prune ${depth > 0 ? `--depth ${depth} ` : ""}origin ${refs}`,
    say(`Checking out ${sha.slice(0, 8)} as detached HEAD (ref is ${ref})...`),
  ];
  // The branch may have gone on since the pipeline began, or have been forced to another history. Not every server gives a
  // commit by its name.
  const named = `git fetch --quiet --depth ${depth} origin ${quote(sha)} 2>/dev/null`;
  const deeper = `git cat-file -e ${quote(`${sha}^{commit}`)} 2>/dev/null || ${named} || git fetch --quiet --unshallow origin ${refs}`;
  return `${prelude}${[...lines, ...(depth > 0 ? [deeper] : []), `git checkout --force --quiet --detach ${quote(sha)}`].join("\n")}\n`;
}

const prelude = "exec 2>&1\nset -eo pipefail\nset +o noclobber\n";

function echo(command: string): string {
  const [first = "", ...more] = command.trimEnd().split("\n");
  return say(more.length === 0 ? `$ ${first}` : `$ ${first} # collapsed multi-line command`);
}

const say = (line: string) => `printf '%s\\n' ${quote(paint.green(line))}`;

/** A word of a shell that stands for exactly this text. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
