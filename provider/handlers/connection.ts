import { declaredHandler } from "./declared-handler.js";
import { standingOf } from "./standing.js";

const deleteS = 3_900;

/** The life of a `GitLabConnection`. Its token is a reference: whether it is good is told by the reconciler, which has it. */
export const connectionHandler = declaredHandler<"connection">({
  kind: "connection",
  own: {},
  replacedBy: ["name"],
  alone: false,
  deleteS: () => deleteS,
  whenUsed: () => "refuse",
  async observe(context, { name, kind }, wait) {
    const { ok, reason } = await standingOf(context, `connection/${name}`, wait);
    return { webhookPath: `/webhooks/${kind}/${name}`, usable: ok, unusableReason: reason };
  },
});
