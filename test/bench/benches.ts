import { boot } from "./boot.js";
import type { Bench } from "./figure.js";
import { guestClaim } from "./guest-claim.js";
import { hookToCreate } from "./hook-to-create.js";
import { hooksWhileRestHangs } from "./hooks-while-rest-hangs.js";
import { ingestBurst } from "./ingest-burst.js";
import { providerLoad } from "./provider-load.js";
import { reconcilePass } from "./reconcile-pass.js";
import { redisCommits } from "./redis-commits.js";

/** All benches, in the order in which they run. */
export const benches: readonly Bench[] = [
  hookToCreate,
  ingestBurst,
  hooksWhileRestHangs,
  reconcilePass,
  guestClaim,
  providerLoad,
  redisCommits,
  boot,
];
