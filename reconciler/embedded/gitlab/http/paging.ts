import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { parametersOf, wholeNumber } from "./parameters.js";
import { badParameter, notAllowed } from "./refusal.js";

const pageSchema = z.object({
  page: wholeNumber.min(1).default(1),
  per_page: wholeNumber.min(1).default(20),
  pagination: z.string().max(20).optional(),
  order_by: z.string().max(50).optional(),
  sort: z.enum(["asc", "desc"]).optional(),
  cursor: z.string().max(1000).optional(),
  id_after: wholeNumber.optional(),
  id_before: wholeNumber.optional(),
});
type Asked = z.output<typeof pageSchema>;

const maxPerPage = 100;
/** GitLab pages no further by number through what can be paged by keyset. */
const maxOffset = 50_000;

/** How a list is paged by ids. */
export interface Keyset {
  /** By an opaque `cursor`, or by `id_after` and `id_before`. */
  readonly by: "cursor" | "id";
  /** The ways in which the list may be sorted. */
  readonly sorts: readonly ("asc" | "desc")[];
}

/** Projects: by id, only when they are asked for in the order of their ids. */
export const keysetById: Keyset = { by: "id", sorts: ["asc", "desc"] };
/** Jobs: by a cursor, newest first only. */
export const keysetByCursor: Keyset = { by: "cursor", sorts: ["desc"] };

export interface Paging {
  /** Undefined: the list is paged by number, whatever is asked for. */
  readonly keyset?: Keyset;
  /** GitLab does not count what is long, and then tells neither `X-Total` nor the last page. */
  readonly uncounted?: boolean;
}

/**
 * One page of `items`, which are sorted by id, newest first; the reply gets GitLab's headers about the other pages.
 * `base` is the address of this GitLab.
 */
export function page<T extends { readonly id: number }>(
  request: FastifyRequest,
  reply: FastifyReply,
  items: readonly T[],
  base: string,
  paging: Paging = {},
): readonly T[] {
  const asked = parametersOf(pageSchema, request);
  const perPage = Math.min(asked.per_page, maxPerPage);
  const sorted = asked.sort === "asc" ? items.toReversed() : items;
  const linkTo = (change: Readonly<Record<string, string>>) => {
    const url = new URL(request.url, base);
    for (const [key, value] of Object.entries({ ...change, per_page: String(perPage) })) url.searchParams.set(key, value);
    return url.href;
  };
  const { keyset } = paging;
  if (asked.pagination === "keyset" && keyset !== undefined) {
    checkKeyset(asked, keyset);
    return afterKey(sorted, asked, perPage, keyset, (change) => void reply.header("link", `<${linkTo(change)}>; rel="next"`));
  }
  if (keyset !== undefined && asked.page * perPage > maxOffset) {
    throw notAllowed(
      `Offset pagination has a maximum allowed offset of ${maxOffset}. Remaining records can be retrieved using keyset pagination.`,
    );
  }
  void reply.headers(numberHeaders(sorted.length, asked.page, perPage, paging.uncounted === true, linkTo));
  return sorted.slice((asked.page - 1) * perPage, asked.page * perPage);
}

function checkKeyset({ order_by: orderBy, sort = "desc" }: Asked, keyset: Keyset): void {
  // Projects are sorted by another field unless told otherwise; jobs are always sorted by id.
  const byId = keyset.by === "id" ? orderBy === "id" : orderBy === undefined || orderBy === "id";
  if (!byId || !keyset.sorts.includes(sort)) throw notAllowed("Keyset pagination is not yet available for this type of request");
}

/** Tells of the next page when there is one, and never how many there are. */
function afterKey<T extends { readonly id: number }>(
  sorted: readonly T[],
  asked: Asked,
  perPage: number,
  { by }: Keyset,
  link: (change: Readonly<Record<string, string>>) => void,
): readonly T[] {
  const up = asked.sort === "asc";
  const last = by === "id" ? (asked.id_after ?? asked.id_before) : idOfCursor(asked.cursor);
  const rest = last === undefined ? sorted : sorted.filter(({ id }) => (up ? id > last : id < last));
  const shown = rest.slice(0, perPage);
  const end = shown.at(-1);
  if (rest.length > perPage && end !== undefined) {
    link(by === "id" ? { [up ? "id_after" : "id_before"]: String(end.id) } : { cursor: cursorOf(end.id) });
  }
  return shown;
}

function numberHeaders(
  total: number,
  at: number,
  perPage: number,
  uncounted: boolean,
  linkTo: (change: Readonly<Record<string, string>>) => string,
): Readonly<Record<string, string>> {
  const pages = Math.max(1, Math.ceil(total / perPage));
  const next = at < pages ? String(at + 1) : "";
  const previous = at > 1 ? String(at - 1) : "";
  const links = [
    ...(previous === "" ? [] : [`<${linkTo({ page: previous })}>; rel="prev"`]),
    ...(next === "" ? [] : [`<${linkTo({ page: next })}>; rel="next"`]),
    `<${linkTo({ page: "1" })}>; rel="first"`,
    ...(uncounted ? [] : [`<${linkTo({ page: String(pages) })}>; rel="last"`]),
  ];
  return {
    link: links.join(", "),
    "x-next-page": next,
    "x-page": String(at),
    "x-per-page": String(perPage),
    "x-prev-page": previous,
    ...(uncounted ? {} : { "x-total": String(total), "x-total-pages": String(pages) }),
  };
}

const cursorOf = (id: number): string => Buffer.from(JSON.stringify({ id: String(id), _kd: "n" })).toString("base64url");

function idOfCursor(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  try {
    const parsed = z.object({ id: z.coerce.number().int() }).parse(JSON.parse(Buffer.from(cursor, "base64url").toString("utf8")));
    return parsed.id;
  } catch {
    throw badParameter("cursor is invalid");
  }
}
