/** How often in a row a hook failed, and until when it is therefore left alone. */
export interface Health {
  readonly failures: number;
  readonly disabledUntil: number | undefined;
}

export type AlertStatus = "executable" | "temporarily_disabled" | "disabled";

export const enabled: Health = { failures: 0, disabledUntil: undefined };

const firstDisabling = 4;
const permanent = 40;
const baseMs = 60_000;
const capMs = 86_400_000;

/** A hook's health after a delivery. A success forgets every failure before it. */
export function afterDelivery(health: Health, delivered: boolean, now: number): Health {
  if (delivered) return enabled;
  const failures = health.failures + 1;
  if (failures < firstDisabling || failures >= permanent) return { failures, disabledUntil: undefined };
  return { failures, disabledUntil: now + Math.min(capMs, baseMs * 2 ** (failures - firstDisabling)) };
}

export function alertStatus(health: Health, now: number): AlertStatus {
  if (health.failures >= permanent) return "disabled";
  return health.disabledUntil !== undefined && now < health.disabledUntil ? "temporarily_disabled" : "executable";
}
