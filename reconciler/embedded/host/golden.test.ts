import { readFileSync } from "node:fs";
import type { JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ManualClock } from "../../model/manual-clock.fixture.js";
import { MemoryDriver } from "./memory-driver.js";
import { seededRandom } from "./seeded-random.js";
import { type EmbeddedHost, startEmbeddedHost } from "./start-embedded-host.js";
import { type WireClient, wireClient } from "./wire-client.fixture.js";

interface Case {
  readonly name: string;
  readonly method: string;
  readonly request: JsonValue;
  readonly ok?: JsonValue;
  readonly error?: { readonly code: number; readonly message: string };
}

const read = (name: string) => JSON.parse(readFileSync(new URL(`../../../test/fixtures/golden/${name}`, import.meta.url), "utf8"));
const recorded = read("flintlock-v0.11.0.json") as { readonly cases: readonly Case[] };
const vmm = read("flintlock-vmm-v0.11.0.json");

/** The answer with the microVM's own id, wherever it stands, as one word. */
function withoutUid(answer: unknown): unknown {
  const text = JSON.stringify(answer);
  const uid = /"uid":"([0-9A-HJKMNP-TV-Z]{26})"/.exec(text)?.[1];
  if (uid === undefined) return answer;
  const plain = JSON.parse(text.replaceAll(uid, "UID"), (key, value: unknown) =>
    key === "meta-data" ? Buffer.from(String(value), "base64").toString().replaceAll(uid, "UID") : value,
  );
  return plain;
}

describe("the embedded host answers as a flintlockd v0.11 was recorded to answer", () => {
  const driver = new MemoryDriver();
  let host: EmbeddedHost;
  let client: WireClient;
  const clock = new ManualClock();
  beforeAll(async () => {
    host = await startEmbeddedHost({ listen: "127.0.0.1:0", driver, clock, random: seededRandom() });
    client = wireClient(host.address);
  });
  afterAll(async () => {
    client.close();
    await host.stop();
  });

  it("in as many cases as were recorded", () => expect(recorded.cases).toHaveLength(51));

  it.each(recorded.cases.map((one) => [one.name, one] as const))("%s", async (_name, { method, request, ok, error }) => {
    const answer = await client.call(method, request);
    expect(withoutUid(answer)).toEqual(withoutUid(error === undefined ? { ok } : { error }));
  });

  it("and shows of a built microVM what was recorded once it was CREATED", async () => {
    const made = await client.call("CreateMicroVM", {
      microvm: {
        id: "net1",
        namespace: "rec",
        kernel: { image: "localhost:5000/k:1", filename: "boot/vmlinux", add_network_config: true, cmdline: vmm.request_cmdline },
        root_volume: { id: "root", source: { container_source: "localhost:5000/r:1" } },
        interfaces: [vmm.request_interface],
        metadata: vmm.request_metadata,
      },
    });
    const uid = /"uid":"(.{26})"/.exec(JSON.stringify(made))?.[1] ?? "";
    await clock.advance(60_000);
    const shown = (await client.call("GetMicroVM", { uid })) as { ok: { microvm: Record<string, unknown> } };
    const { version, status } = shown.ok.microvm;
    const shape = (value: unknown): unknown => JSON.parse(JSON.stringify(value), (_key, leaf) => (typeof leaf === "number" ? 0 : leaf));
    const devices = (text: string) => text.replace(/snap-\d+|snapshots\/\d+|fltap[0-9a-f]{7}|([0-9A-F]{2}:){5}[0-9A-F]{2}/g, "X");
    expect(version).toBe(2);
    expect(devices(JSON.stringify(shape(status)))).toBe(devices(JSON.stringify(shape(vmm.status_when_created.status))));
    const guestSees = driver.asked.find((vm) => vm.uid === uid)?.metadata;
    expect({ ...guestSees, "meta-data": guestSees?.["meta-data"]?.replace(uid, "UID") }).toEqual({
      ...vmm["metadata.json"].latest,
      "meta-data": "instance_id: UID\n",
    });
  });
});
