import { expect, it } from "vitest";
import { edited, plantedBugs } from "./planted-bugs.fixture.js";

it.each(Object.entries(plantedBugs))("a bug can still be planted for the long suite to find: %s", (_name, edits) => {
  for (const edit of edits) expect(edited(edit)).toContain(edit.put);
});
