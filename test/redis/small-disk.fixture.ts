import { spawnSync } from "node:child_process";

/** A file system with little room. */
export interface SmallDisk {
  /** Gives it plenty. */
  grow(): void;
  unmount(): void;
}

/** Mounts one of 4 MB on a directory; undefined where that is not allowed. */
export function mountSmallDisk(directory: string): SmallDisk | undefined {
  const run = (command: string, ...args: readonly string[]) => spawnSync(command, [...args, directory], { timeout: 10_000 }).status === 0;
  if (!run("mount", "-t", "tmpfs", "-o", "size=4m", "firerunner")) return undefined;
  return {
    grow: () => void run("mount", "-o", "remount,size=256m"),
    unmount: () => void run("umount", "--lazy"),
  };
}
