import { type Mark, markKey, markSchema } from "../model/mark.js";
import type { Microvm } from "../model/microvm.js";
import { derivedKey, sameText, signature } from "./signing.js";

/** Longer texts are no marks of ours: they are not even parsed. */
const longestMark = 4096;

/** Makes and checks the marks of one owner. */
export interface Marks {
  /** The mark's text, always the same for the same microVM. */
  make(microvm: Microvm): string;
  /** The mark in a microVM's metadata, when it is true: made with this key, for this owner. */
  read(metadata: Readonly<Record<string, string>>): Mark | undefined;
}

export function createMarks(serviceKey: string, owner: string): Marks {
  const key = derivedKey(serviceKey, "ownership-mark");
  const hmacOf = ({ v, owner, vm, connection, pool, size, image, createdAt }: Omit<Mark, "hmac">): string =>
    signature(key, [v, owner, vm, connection, pool, size, image, createdAt]);

  return {
    make({ name, connection, pool, sizeName, image, allocatedAt }) {
      const mark = { v: 1, owner, vm: name, connection, pool, size: sizeName, image, createdAt: allocatedAt } as const;
      return JSON.stringify({ ...mark, hmac: hmacOf(mark) });
    },
    read(metadata) {
      const text = metadata[markKey];
      if (text === undefined || text.length > longestMark) return undefined;
      const parsed = markSchema.safeParse(parseJson(text));
      if (!parsed.success || parsed.data.owner !== owner) return undefined;
      return sameText(parsed.data.hmac, hmacOf(parsed.data)) ? parsed.data : undefined;
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
