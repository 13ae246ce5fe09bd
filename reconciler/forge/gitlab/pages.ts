import type { Answer, Client } from "./client.js";
import { type Attempt, unreadableError } from "./failure.js";

/** The items of a list; `complete` is false when the forge has more pages than are read. */
export interface Listed {
  readonly items: readonly unknown[];
  readonly complete: boolean;
}

const perPage = 100;
const nextKeys = ["cursor", "page", "id_after", "id_before"] as const;

/**
 * Reads a list page by page. Gitbeaker's own list methods do not tell whether they stopped early, so the pages are
 * followed here: by the `Link` header's query (keyset pages) or by `X-Next-Page`, always at the same path.
 */
export async function readPages(
  client: Client,
  attempt: Attempt,
  path: string,
  query: Readonly<Record<string, unknown>>,
  maxPages: number,
): Promise<Listed> {
  const items: unknown[] = [];
  let next: Readonly<Record<string, string>> = {};
  for (let pages = 1; ; pages += 1) {
    const answer = await client.get(path, { ...query, perPage, ...next });
    if (!Array.isArray(answer.body)) throw unreadableError(attempt, "a list was expected");
    items.push(...answer.body);
    const following = nextOf(answer);
    if (following === "none") return { items, complete: true };
    if (following === "unknown" || pages >= maxPages || same(following, next)) return { items, complete: false };
    next = following;
  }
}

/** What the next page is asked for with; `unknown` when there is one and it is not told in a way that is understood. */
function nextOf({ headers }: Answer): Readonly<Record<string, string>> | "none" | "unknown" {
  const link = /<([^<>]{1,4000})>\s*;\s*rel="?next"?/.exec(headers.link ?? "")?.[1];
  if (link !== undefined) {
    const query = new URLSearchParams(link.slice(link.indexOf("?") + 1));
    const found = nextKeys.flatMap((key) => {
      const value = query.get(key);
      return value === null || value === "" ? [] : [[key, value] as const];
    });
    return found.length === 0 ? "unknown" : Object.fromEntries(found);
  }
  const page = headers["x-next-page"] ?? "";
  if (page === "") return "none";
  return /^\d{1,9}$/.test(page) ? { page } : "unknown";
}

const same = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean => JSON.stringify(a) === JSON.stringify(b);
