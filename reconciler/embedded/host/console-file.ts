import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What a VM wrote is kept up to twice this: a guest that floods its console does not fill its host's disk. */
const limitBytes = 1_048_576;

/** A file for what a VM writes. When it is full it becomes `FILE.1`, in the place of the one before, and another begins. */
export class ConsoleFile {
  private fd: number | undefined;
  private size = 0;

  /** Goes on where an earlier boot of the VM ended. Throws when the file cannot be opened. */
  constructor(
    private readonly path: string,
    private readonly limit = limitBytes,
  ) {
    this.open();
  }

  /** A host whose disk is full has other troubles: what cannot be written is lost, and the VM runs on. */
  write(chunk: Buffer): void {
    try {
      if (this.size > 0 && this.size + chunk.length > this.limit) {
        this.close();
        renameSync(this.path, `${this.path}.1`);
        this.open();
      }
      if (this.fd !== undefined) this.size += writeSync(this.fd, chunk);
    } catch {
      this.close();
    }
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  private open(): void {
    this.fd = openSync(this.path, "a", 0o600);
    this.size = fstatSync(this.fd).size;
  }
}

/** Of a VM that is gone so much is kept, and of so many VMs: whoever asks why one never came finds out. */
const kept = { bytes: 65_536, files: 16 };

/** Where the consoles of a host's VMs that are gone lie. */
export const keptConsoles = (hostDirectory: string): string => `${hostDirectory}-consoles`;

/** Keeps the end of a VM's console under its name; nothing to do when there is no console. */
export async function keepConsole(path: string, hostDirectory: string, name: string): Promise<void> {
  if (!/^[\w.-]{1,64}$/.test(name) || name.startsWith(".")) return;
  const parts = await Promise.all([`${path}.1`, path].map((each) => readFile(each).catch(() => Buffer.alloc(0))));
  const text = Buffer.concat(parts).subarray(-kept.bytes);
  if (text.length === 0) return;
  const folder = keptConsoles(hostDirectory);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, `${name}.log`), text, { mode: 0o600 });
  const files = await Promise.all((await readdir(folder)).map((file) => aged(join(folder, file))));
  const old = files.toSorted((one, other) => other.at - one.at).slice(kept.files);
  await Promise.all(old.map(({ file }) => rm(file, { force: true })));
}

/** One that another removes at the same time is as old as can be. */
async function aged(file: string): Promise<{ readonly file: string; readonly at: number }> {
  return { file, at: (await stat(file).catch(() => undefined))?.mtimeMs ?? 0 };
}
