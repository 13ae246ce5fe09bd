import { describe, expect, it } from "vitest";
import { createRefusalBudget } from "./refusal-budget.js";

function make(options = { burst: 3, refillMs: 1000, maxAddresses: 2 }) {
  let now = 0;
  const within = createRefusalBudget({ now: () => now }, options);
  return {
    within,
    pass(ms: number) {
      now += ms;
    },
  };
}

describe("the budget of refusals", () => {
  it("is used up by each address for itself and comes back with time", () => {
    const { within, pass } = make();
    expect([within("a"), within("a"), within("a"), within("a")]).toEqual([true, true, true, false]);
    expect(within("b")).toBe(true);
    pass(999);
    expect(within("a")).toBe(false);
    pass(1000);
    expect([within("a"), within("a")]).toEqual([true, false]);
    pass(1_000_000);
    expect([within("a"), within("a"), within("a"), within("a")]).toEqual([true, true, true, false]);
  });

  it("remembers a bounded number of addresses and forgets the one that was refused longest ago", () => {
    const { within } = make({ burst: 1, refillMs: 1000, maxAddresses: 2 });
    expect([within("a"), within("b"), within("a")]).toEqual([true, true, false]);
    expect(within("c")).toBe(true);
    expect([within("a"), within("b")]).toEqual([false, true]);
  });
});
