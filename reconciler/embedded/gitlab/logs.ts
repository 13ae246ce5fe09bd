import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";

/** What became of a piece of a log: appended, at the wrong place (send from `size` on), or more than a log may hold. */
type Appended = { readonly outcome: "appended" | "misplaced" | "too-large"; readonly size: number };

/** The logs of jobs, one file each. */
export interface Logs {
  /** Appends what begins at byte `offset`; only the very end of the log fits. */
  append(jobId: number, offset: number, bytes: Buffer): Appended;
  size(jobId: number): number;
  /** The log's checksum as runners write it: `crc32:` and eight hex digits. */
  checksum(jobId: number): string;
  /** Empties the log, because its runner will send it again. */
  reset(jobId: number): void;
  read(jobId: number): Promise<Buffer>;
  remove(jobIds: readonly number[]): void;
}

/** Logs under `directory`, each at most `maxBytes` long. */
export function createLogs(directory: string, maxBytes: number): Logs {
  mkdirSync(directory, { recursive: true });
  const known = new Map<number, { readonly size: number; readonly crc: number }>();
  const fileOf = (jobId: number) => join(directory, `${jobId}.log`);
  const of = (jobId: number) => known.get(jobId) ?? { size: 0, crc: 0 };

  return {
    append(jobId, offset, bytes) {
      const { size, crc } = of(jobId);
      if (offset !== size) return { outcome: "misplaced", size };
      if (size + bytes.length > maxBytes) return { outcome: "too-large", size };
      appendFileSync(fileOf(jobId), bytes);
      known.set(jobId, { size: size + bytes.length, crc: crc32(bytes, crc) });
      return { outcome: "appended", size: size + bytes.length };
    },
    size: (jobId) => of(jobId).size,
    checksum: (jobId) => `crc32:${of(jobId).crc.toString(16).padStart(8, "0")}`,
    reset(jobId) {
      writeFileSync(fileOf(jobId), "");
      known.delete(jobId);
    },
    async read(jobId) {
      return of(jobId).size === 0 ? Buffer.alloc(0) : readFile(fileOf(jobId));
    },
    remove(jobIds) {
      for (const jobId of jobIds) {
        if (known.delete(jobId)) rmSync(fileOf(jobId), { force: true });
      }
    },
  };
}
