import { type ClientKind, findClient, missingClient } from "../../scripts/clients.js";

/** Says which clients are missing, and with them which tests are skipped; where CI=true that is an error. */
export default function setUp(): void {
  for (const kind of ["python", "rust"] satisfies readonly ClientKind[]) {
    if (findClient(kind) !== undefined) continue;
    const reason = missingClient(kind);
    if (process.env.CI === "true") throw new Error(reason);
    process.stderr.write(`test/clients/${kind}*.test.ts are skipped: ${reason}\n`);
  }
}
