import module from "node:module";

/** What newer versions of Node have, and the types of the oldest that is supported do not tell of. */
interface CompileCache {
  enableCompileCache?(directory: string): unknown;
  flushCompileCache?(): void;
}

/**
 * Lets Node keep in `directory` what it compiles of all code that is loaded from now on, so that the next start does not compile it
 * again; Node writes it down when the process ends well, or when it is told to (`writeCompiled`). Without effect before Node 22.8.
 */
export function keepCompiled(directory: string): void {
  const { enableCompileCache } = module as typeof module & CompileCache;
  enableCompileCache?.(directory);
}

/** Has what was compiled written down now: a process that is killed writes nothing. Without effect before Node 22.10. */
export function writeCompiled(): void {
  const { flushCompileCache } = module as typeof module & CompileCache;
  flushCompileCache?.();
}
