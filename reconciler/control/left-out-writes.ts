import { jobKey } from "../model/job.js";
import type { Store, Write } from "../store/port.js";
import type { Guarded } from "./plan-guard.js";

/**
 * What is written down about records that were left out of a plan, in one commit with it: their letters, and to jobs why they
 * wait. Letters of what is not left out any more go.
 */
export function leftOutWrites(store: Pick<Store, "get" | "list">, { decided, letters, explained }: Guarded): readonly Write[] {
  const known = store.list("deadLetter").filter(({ value }) => value.action === "decide");
  if (known.length === 0 && letters.size === 0) return [];
  const decidedUpon = new Set(decided.decisions.map(({ kind, key }) => `${kind}:${key}`));
  const written = [...letters].flatMap(([key, value]): Write[] => {
    const stored = store.get("deadLetter", key);
    if (decidedUpon.has(`deadLetter:${key}`) || stored?.value === value) return [];
    return [{ kind: "deadLetter", key, value, expect: stored?.revision ?? "absent" }];
  });
  const settled = known.flatMap(({ key, revision }): Write[] =>
    decidedUpon.has(`deadLetter:${key}`) || letters.has(key) ? [] : [{ kind: "deadLetter", key, value: null, expect: revision }],
  );
  const jobs = explained.flatMap((value): Write[] => {
    const key = jobKey(value);
    const stored = store.get("job", key);
    return stored === undefined || decidedUpon.has(`job:${key}`) ? [] : [{ kind: "job", key, value, expect: stored.revision }];
  });
  return [...written, ...settled, ...jobs];
}
