import { z } from "zod";

/** How lists are asked for: at most `limit` items after the one whose key is `after`. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  after: z.string().max(512).optional(),
};

/** A page of a list. With `next` there is more: ask again with `after=<next>`. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

/** One page of records that are sorted by key. */
export function pageOf<R extends { readonly key: string }, T>(
  records: readonly R[],
  query: { readonly limit: number; readonly after?: string | undefined },
  keep: (record: R) => boolean,
  show: (record: R) => T,
): Page<T> {
  const { after, limit } = query;
  const found: R[] = [];
  for (const record of records) {
    if ((after !== undefined && record.key <= after) || !keep(record)) continue;
    found.push(record);
    if (found.length > limit) break;
  }
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items: items.map(show), ...(found.length > limit && last !== undefined ? { next: last.key } : {}) };
}
