import { declaredHandler } from "./declared-handler.js";
import { connectionStanding } from "./standing.js";

const deleteS = 3_900;

/** The life of a `GitLabConnection`. Its token is a reference: whether it is good is told by the reconciler, which has it. */
export const connectionHandler = declaredHandler<"connection">({
  kind: "connection",
  own: {},
  replacedBy: ["name"],
  alone: false,
  deleteS: () => deleteS,
  whenUsed: () => "refuse",
  async observe(context, spec, wait) {
    const { name, kind } = spec;
    const { ok, reason, webhookUrl, unregistered } = await connectionStanding(context, spec, wait);
    if (wait && !ok) context.say(`warning: connection "${name}" is declared, but cannot be used: ${reason}`);
    if (wait && unregistered !== undefined) context.say(`warning: the webhook of connection "${name}" is not registered: ${unregistered}`);
    return { webhookPath: `/webhooks/${kind}/${name}`, webhookUrl, usable: ok, unusableReason: reason };
  },
});
