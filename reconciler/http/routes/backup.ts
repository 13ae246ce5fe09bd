import { createReadStream, fstatSync, openSync, rmSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import { FireRunnerError } from "../../model/errors.js";

export interface BackupDependencies {
  /** Writes a copy of the store into a new file and tells its path; undefined where the store is not in a file of its own. */
  readonly copyStore?: (() => string) | undefined;
}

/** `GET /v1/backup`: a consistent copy of the store as a SQLite file. What is sealed in it stays sealed. */
export function registerBackupRoutes(app: FastifyInstance, { copyStore }: BackupDependencies): void {
  app.get("/v1/backup", (_request, reply) => {
    if (copyStore === undefined) {
      throw new FireRunnerError(
        "FR-INVALID",
        "the store of this service is not in a file of its own: back up what it is in, for example Redis with BGSAVE",
      );
    }
    const path = copyStore();
    try {
      const file = openSync(path, "r");
      // The name goes at once, the content when it has been sent or the caller has gone.
      const stream = createReadStream(path, { fd: file });
      return reply.header("content-type", "application/vnd.sqlite3").header("content-length", fstatSync(file).size).send(stream);
    } finally {
      rmSync(path, { force: true });
    }
  });
}
