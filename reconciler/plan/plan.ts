import { endRests, reportConflicts } from "./addresses.js";
import { advanceMicrovms } from "./advance.js";
import { pruneConditions } from "./backoff.js";
import { settleClock } from "./clock-set-back.js";
import { followDrops, judgeDeadLetters } from "./dead-letters.js";
import { meetDemand } from "./demand.js";
import { Draft, type Plan } from "./draft.js";
import { endDrains } from "./drain.js";
import { judgeHosts } from "./host-conditions.js";
import { forgetHostImages } from "./image-spread.js";
import { mapJobs, pruneJobs } from "./jobs.js";
import { askForges, askHosts } from "./look.js";
import { retireRunnerless } from "./lost-runner.js";
import { followMovedForges } from "./moved-forge.js";
import { adoptOrphans } from "./orphans.js";
import { judgePools } from "./pool-conditions.js";
import { choosePresences, tendPresences } from "./presence.js";
import { replaceRedeclared } from "./redeclared.js";
import { dropReports, removeIdentities, removeMicrovms } from "./remove.js";
import { sendEffects } from "./send.js";
import type { Snapshot } from "./snapshot.js";
import { retireStrays } from "./supply.js";
import { followLosses } from "./vm-loss.js";

/**
 * What is to be done about a snapshot. Pure, total and deterministic: the same snapshot gives the same plan, and a
 * snapshot to which the plan was applied gives an empty one.
 */
export function plan(snapshot: Snapshot): Plan {
  const draft = new Draft(snapshot);
  settleClock(draft);
  followDrops(draft);
  pruneConditions(draft);
  endRests(draft);
  forgetHostImages(draft);
  // What is true comes first, then what leaves, then what is wanted, then what is sent.
  followMovedForges(draft);
  adoptOrphans(draft);
  mapJobs(draft);
  choosePresences(draft);
  advanceMicrovms(draft);
  retireRunnerless(draft);
  retireStrays(draft);
  replaceRedeclared(draft);
  endDrains(draft);
  followLosses(draft);
  removeMicrovms(draft);
  meetDemand(draft);
  removeWhatGaveWay(draft);
  dropReports(draft);
  removeIdentities(draft);
  // A presence runner keeps jobs from being given up: where the forge makes few runners it goes first.
  tendPresences(draft);
  sendEffects(draft);
  askHosts(draft);
  askForges(draft);
  pruneJobs(draft);
  judgeDeadLetters(draft);
  pruneConditions(draft);
  reportConflicts(draft);
  judgeHosts(draft);
  judgePools(draft);
  return draft.finish();
}

/** What was told to go for the sake of others may be gone at once, when it was never sent: then there is room for them now. */
function removeWhatGaveWay(draft: Draft): void {
  const before = draft.microvms.size;
  removeMicrovms(draft);
  if (draft.microvms.size < before) draft.again();
}
