import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";

/** What a replica tells the others of itself, every few seconds. Nothing in it is a record: it may be late, or lost. */
const noteSchema = z.object({
  /** Grows with each note of one replica. */
  seq: z.int().positive(),
  startedAt: z.int(),
  version: z.string(),
  /** How the other replicas reach its admin API. */
  adminUrl: z.string(),
  /** The epoch under which it leads. */
  epoch: z.string().optional(),
  /** The newest revision that it knows. */
  revision: z.int(),
  /** How long ago it heard each guest, in ms: by its own clock, which nobody else's is compared with. */
  heardAgoMs: z.record(z.string(), z.number()),
  /** How often it wanted each connection to be polled; only whoever leads does that. */
  wantedPolls: z.record(z.string(), z.number()),
});
export type ReplicaNote = z.output<typeof noteSchema>;

/** Writes notes, and reads those that a process with the same key has written. */
export interface NoteBook {
  write(name: string, note: ReplicaNote): string;
  /** Undefined for what is not such a note: another version's, or nobody's who has the key. */
  read(name: string, text: string): ReplicaNote | undefined;
}

/**
 * Notes lie beside the records, where whoever reaches the store may write. They carry an HMAC of the service's `key` (hex), because
 * requests are passed on to the address that a note names.
 */
export function createNoteBook(key: string): NoteBook {
  const derived = createHmac("sha256", Buffer.from(key, "hex")).update("firerunner/replica-note/v1").digest();
  const sign = (name: string, body: string): string =>
    createHmac("sha256", derived)
      .update(JSON.stringify([name, body]))
      .digest("hex");
  return {
    write(name, note) {
      const body = JSON.stringify(note);
      return `${sign(name, body)} ${body}`;
    },
    read(name, text) {
      const [given, body] = [text.slice(0, 64), text.slice(65)];
      const right = sign(name, body);
      if (given.length !== right.length || !timingSafeEqual(Buffer.from(given), Buffer.from(right))) return undefined;
      return noteSchema.safeParse(JSON.parse(body)).data;
    },
  };
}
