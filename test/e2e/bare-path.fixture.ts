import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";

/** What GNU coreutils brings, without what only administrators need. */
const coreutils =
  "[ arch b2sum base32 base64 basename cat chgrp chmod chown cksum comm cp csplit cut date dd df dir dircolors dirname du echo env expand expr factor false fmt fold groups head hostid id install join link ln logname ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup nproc numfmt od paste pathchk pinky pr printenv printf ptx pwd readlink realpath rm rmdir seq sha1sum sha224sum sha256sum sha384sum sha512sum shred shuf sleep sort split stat stdbuf stty sum sync tac tail tee test timeout touch tr true truncate tsort tty uname unexpand uniq unlink users vdir wc who whoami yes".split(
    " ",
  );

/** Makes a folder with nothing but `sh`, `bash`, `git`, `node` and coreutils in it, and returns it as a PATH. */
export function barePath(directory: string): string {
  mkdirSync(directory);
  symlinkSync(process.execPath, join(directory, "node"));
  const missing = ["sh", "bash", "git", ...coreutils].filter((program) => {
    const found = find(program);
    if (found !== undefined) symlinkSync(found, join(directory, program));
    return found === undefined;
  });
  // Not every coreutils has every program, but without these nothing runs.
  for (const needed of ["sh", "bash", "git", "cat", "mkfifo", "sha256sum"]) {
    if (missing.includes(needed)) throw new Error(`this machine has no ${needed}`);
  }
  return directory;
}

function find(program: string): string | undefined {
  const candidates = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, program));
  return candidates.find((candidate) => existsSync(candidate));
}
