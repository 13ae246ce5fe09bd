import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterDelivery, alertStatus, enabled, type Health } from "./health.js";

const minute = 60_000;

function failed(times: number, now: number): Health {
  let health = enabled;
  for (let n = 0; n < times; n += 1) health = afterDelivery(health, false, now);
  return health;
}

describe("a hook's health", () => {
  it("stands three failures, then is disabled for a minute that doubles each time, up to a day", () => {
    expect(alertStatus(failed(3, 0), 0)).toBe("executable");
    const waits = [4, 5, 6, 15, 39].map((times) => failed(times, 0).disabledUntil);
    expect(waits).toEqual([minute, 2 * minute, 4 * minute, 24 * 60 * minute, 24 * 60 * minute]);
    expect(alertStatus(failed(4, 0), minute - 1)).toBe("temporarily_disabled");
    expect(alertStatus(failed(4, 0), minute)).toBe("executable");
  });

  it("is disabled for good by the 40th failure in a row", () => {
    expect(alertStatus(failed(39, 0), 100 * 86_400_000)).toBe("executable");
    expect(alertStatus(failed(40, 0), 100 * 86_400_000)).toBe("disabled");
  });

  it("is restored by one success, whatever came before", () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(), (times, now) => {
        expect(afterDelivery(failed(times, now), true, now)).toEqual(enabled);
      }),
    );
  });
});
