import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { parametersOf, wholeNumber } from "./parameters.js";
import { badParameter } from "./refusal.js";

const pageSchema = z.object({
  page: wholeNumber.min(1).default(1),
  per_page: wholeNumber.min(1).default(20),
  pagination: z.enum(["keyset", "legacy"]).optional(),
  sort: z.enum(["asc", "desc"]).default("desc"),
  cursor: z.string().max(1000).optional(),
  id_after: wholeNumber.optional(),
  id_before: wholeNumber.optional(),
});

const maxPerPage = 100;

/** How a list is paged by ids: by an opaque `cursor` (jobs), or by `id_after` and `id_before` (projects). */
export type Keyset = "cursor" | "id";

/**
 * One page of `items`, which are sorted by id, newest first; the reply gets GitLab's headers about the other pages.
 * `base` is the address of this GitLab. Lists without a `keyset` are paged by number alone.
 */
export function page<T extends { readonly id: number }>(
  request: FastifyRequest,
  reply: FastifyReply,
  items: readonly T[],
  base: string,
  keyset?: Keyset,
): readonly T[] {
  const asked = parametersOf(pageSchema, request);
  const perPage = Math.min(asked.per_page, maxPerPage);
  const sorted = asked.sort === "asc" ? items.toReversed() : items;
  const linkTo = (change: Readonly<Record<string, string>>) => {
    const url = new URL(request.url, base);
    for (const [key, value] of Object.entries({ ...change, per_page: String(perPage) })) url.searchParams.set(key, value);
    return url.href;
  };
  if (asked.pagination === "keyset" && keyset !== undefined) {
    const lastKey = keyset === "id" ? (asked.sort === "asc" ? "id_after" : "id_before") : "cursor";
    const last = keyset === "id" ? (asked.id_after ?? asked.id_before) : idOfCursor(asked.cursor);
    const rest = last === undefined ? sorted : sorted.filter(({ id }) => (asked.sort === "asc" ? id > last : id < last));
    const shown = rest.slice(0, perPage);
    const end = shown.at(-1);
    if (rest.length > perPage && end !== undefined) {
      const value = keyset === "id" ? String(end.id) : cursorOf(end.id);
      void reply.header("link", `<${linkTo({ [lastKey]: value })}>; rel="next"`);
    }
    return shown;
  }
  const pages = Math.max(1, Math.ceil(sorted.length / perPage));
  const next = asked.page < pages ? String(asked.page + 1) : "";
  const previous = asked.page > 1 ? String(asked.page - 1) : "";
  const links = [
    ...(previous === "" ? [] : [`<${linkTo({ page: previous })}>; rel="prev"`]),
    ...(next === "" ? [] : [`<${linkTo({ page: next })}>; rel="next"`]),
    `<${linkTo({ page: "1" })}>; rel="first"`,
    `<${linkTo({ page: String(pages) })}>; rel="last"`,
  ];
  void reply.headers({
    link: links.join(", "),
    "x-next-page": next,
    "x-page": String(asked.page),
    "x-per-page": String(perPage),
    "x-prev-page": previous,
    "x-total": String(sorted.length),
    "x-total-pages": String(pages),
  });
  return sorted.slice((asked.page - 1) * perPage, asked.page * perPage);
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
