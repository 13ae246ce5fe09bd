import { declaredHandler } from "./declared-handler.js";

/** What the end of a pool's last job takes beyond the job itself. */
const afterJobsS = 300;

/** The life of a `RunnerPool`: it is removed when its last job has ended. */
export const poolHandler = declaredHandler<"pool">({
  kind: "pool",
  own: {},
  replacedBy: ["name"],
  alone: false,
  deleteS: ({ maxJobTimeoutS }) => maxJobTimeoutS + afterJobsS,
  whenUsed: () => "drain",
  // States do not keep the order of keys, but jobs are tried on sizes in it: smaller ones first, as one would write them.
  written: (pool) => ({ ...pool, sizes: Object.fromEntries(Object.entries(pool.sizes).toSorted(bySize)) }),
});

type Sized = readonly [string, { readonly vcpu: number; readonly memoryMb: number }];

function bySize([a, one]: Sized, [b, other]: Sized): number {
  return one.vcpu - other.vcpu || one.memoryMb - other.memoryMb || (a < b ? -1 : 1);
}
