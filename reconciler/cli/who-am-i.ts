import type { Terminal } from "./terminal.js";

/** Who asks, as far as the environment says it in a form that a header may have. */
export function whoAmI(env: Terminal["env"]): string | undefined {
  const name = env.USER || env.LOGNAME || env.USERNAME;
  return name !== undefined && /^[!-~]{1,200}$/.test(name) ? name : undefined;
}
