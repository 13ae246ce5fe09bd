/** The head of what a CGI program answers. */
export interface CgiHead {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
}

/** The most that a head may take. */
export const maxHeadBytes = 16_384;

/** Splits the head off, or returns undefined while it has not ended. `body` is what came with it. */
export function readCgiHead(bytes: Buffer): { readonly head: CgiHead; readonly body: Buffer } | undefined {
  const end = /\r?\n\r?\n/.exec(bytes.subarray(0, maxHeadBytes).toString("latin1"));
  if (end === null) return undefined;
  const lines = bytes.subarray(0, end.index).toString("latin1").split(/\r?\n/);
  const fields = lines.flatMap((line): readonly (readonly [string, string])[] => {
    const colon = line.indexOf(":");
    return colon <= 0 ? [] : [[line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]];
  });
  const status = Number.parseInt(fields.find(([name]) => name === "status")?.[1] ?? "200", 10);
  return {
    head: { status: status >= 200 && status <= 599 ? status : 502, headers: fields.filter(([name]) => name !== "status") },
    body: bytes.subarray(end.index + end[0].length),
  };
}
