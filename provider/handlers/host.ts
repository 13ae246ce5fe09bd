import { z } from "zod";
import { declaredHandler } from "./declared-handler.js";
import { hostStanding } from "./standing.js";

/** A host is waited for as long as a job of a pool with the default `maxJobTimeoutS` may take. */
const deleteS = 3_900;

/** The life of a `FlintlockHost`: another endpoint is another machine, so what runs on the old one drains first. */
export const hostHandler = declaredHandler<"host">({
  kind: "host",
  own: { onDelete: z.enum(["drain", "forget"], 'must be "drain" or "forget"').optional() },
  replacedBy: ["name", "endpoint"],
  // Two hosts may not share their network, whatever their names.
  alone: true,
  deleteS: () => deleteS,
  whenUsed: ({ onDelete }) => (onDelete === "forget" ? "forget" : "drain"),
  async observe(context, { name }, wait) {
    const { ok, reason } = await hostStanding(context, name, wait);
    return { reachable: ok, unreachableReason: reason };
  },
});
