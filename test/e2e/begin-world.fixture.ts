import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Notes what is to be done at a world's end; the last is done first. */
export type AtEnd = (end: () => Promise<unknown> | unknown) => void;

/** Builds a world in a directory of its own. What was begun is ended by `stop`, or at once when the rest cannot be built. */
export async function beginWorld<W>(
  name: string,
  build: (directory: string, atEnd: AtEnd) => Promise<W>,
): Promise<W & { stop(): Promise<void> }> {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), `firerunner-${name}-`)));
  const ends: (() => Promise<unknown> | unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const stop = async () => {
    const failed: unknown[] = [];
    for (const end of ends.splice(0).reverse()) {
      // What cannot be ended keeps nothing else from ending.
      await Promise.resolve()
        .then(end)
        .catch((error: unknown) => failed.push(error));
    }
    if (failed.length > 0) throw failed[0];
  };
  try {
    return { ...(await build(directory, (end) => ends.push(end))), stop };
  } catch (caught) {
    await stop();
    throw caught;
  }
}
