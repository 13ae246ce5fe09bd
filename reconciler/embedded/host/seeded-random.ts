import type { Random } from "../../model/clock.js";

/** Unpredictability that one number decides: the same in every run. Not for secrets. */
export function seededRandom(seed = 1): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const byte = () => Math.floor(next() * 256);
  return { next, hex: (bytes) => Array.from({ length: bytes }, () => byte().toString(16).padStart(2, "0")).join("") };
}
