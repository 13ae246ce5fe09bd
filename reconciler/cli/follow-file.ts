import { type FileHandle, open, stat } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

export interface FollowOptions {
  /** Lines from the end to begin with; all of them when undefined. */
  readonly tail: number | undefined;
  /** Goes on until the file is gone or the signal comes; without one it ends with what there is. */
  readonly follow: AbortSignal | undefined;
  readonly write: (text: string) => void;
}

const everyMs = 250;

/** Passes on a file of lines that may grow, be replaced by a new one of its name, and vanish. Rejects when there is none. */
export async function followFile(path: string, { tail, follow, write }: FollowOptions): Promise<void> {
  let file = await open(path);
  try {
    const before = await open(`${path}.1`).catch(() => undefined);
    let text = (before === undefined ? "" : await readRest(before)) + (await readRest(file));
    await before?.close();
    if (tail !== undefined) text = lastLines(text, tail);
    write(text);
    while (follow !== undefined && !follow.aborted) {
      await pause(everyMs, undefined, { signal: follow }).catch(() => undefined);
      const { ino } = await file.stat();
      const now = await stat(path).catch(() => undefined);
      // What it was given last stands in it even when it has been replaced or removed.
      write(await readRest(file));
      if (now === undefined) return;
      if (now.ino === ino) continue;
      const next = await open(path).catch(() => undefined);
      if (next === undefined) return;
      await file.close();
      file = next;
      write(await readRest(file));
    }
  } finally {
    await file.close();
  }
}

/** From where the last read ended. */
async function readRest(file: FileHandle): Promise<string> {
  return (await file.readFile()).toString("utf8");
}

function lastLines(text: string, count: number): string {
  const lines = text.split("\n");
  const isWhole = lines.at(-1) === "";
  return lines.slice(-(count + (isWhole ? 1 : 0))).join("\n");
}
