import { readFileSync } from "node:fs";
import type { JsonValue } from "@bufbuild/protobuf";
import { parse } from "yaml";

/** A call to a real flintlockd and what it answered. */
export interface RecordedCase {
  readonly name: string;
  readonly method: string;
  readonly request: JsonValue;
  readonly ok?: JsonValue;
  readonly error?: { readonly code: number; readonly message: string };
}

const read = (name: string) => JSON.parse(readFileSync(new URL(`../../../test/fixtures/golden/${name}`, import.meta.url), "utf8"));

/** What a flintlockd v0.11 was recorded to answer, in the order in which it was asked. */
export const recordedCases = (read("flintlock-v0.11.0.json") as { readonly cases: readonly RecordedCase[] }).cases;

/** What a flintlockd v0.11 was recorded to hand to its monitor, and to show of the microVM then. */
export const recordedVmm = read("flintlock-vmm-v0.11.0.json");

/** An answer with the microVM's own id, wherever it stands, as one word. */
export function withoutUid(answer: unknown): unknown {
  const text = JSON.stringify(answer);
  const uid = /"uid":"([0-9A-HJKMNP-TV-Z]{26})"/.exec(text)?.[1];
  if (uid === undefined) return answer;
  return JSON.parse(text.replaceAll(uid, "UID"), (key, value: unknown) =>
    key === "meta-data" ? Buffer.from(String(value), "base64").toString().replaceAll(uid, "UID") : value,
  );
}

/** A status in which what differs from host to host is one word: numbers, devices, snapshots. */
export function withoutDevices(status: unknown): string {
  const shape = JSON.stringify(status, (_key, leaf) => (typeof leaf === "number" ? 0 : leaf));
  return shape.replace(/fltap[0-9a-f]{7}|([0-9A-F]{2}:){5}[0-9A-F]{2}/g, "X").replace(/"source":"[^"]*"/g, '"source":"X"');
}

/** The kernel's arguments in no order, because a flintlockd gives them in none, with the network's document as what it means. */
export function kernelArguments(text: string): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    text.split(" ").map((argument) => {
      const [key = "", value = ""] = argument.split(/=(.*)/s);
      return [key, key === "network-config" ? parse(Buffer.from(value, "base64").toString()) : value];
    }),
  );
}
