import type { Bench } from "./figure.js";
import { hookToCreate } from "./hook-to-create.js";
import { ingestBurst } from "./ingest-burst.js";

/** All benches, in the order in which they run. */
export const benches: readonly Bench[] = [hookToCreate, ingestBurst];
