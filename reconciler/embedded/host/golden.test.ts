import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ManualClock } from "../../model/manual-clock.fixture.js";
import { MemoryDriver } from "./memory-driver.js";
import { recordedCases, recordedVmm as vmm, withoutDevices, withoutUid } from "./recorded.fixture.js";
import { seededRandom } from "./seeded-random.js";
import { type EmbeddedHost, startEmbeddedHost } from "./start-embedded-host.js";
import { type WireClient, wireClient } from "./wire-client.fixture.js";

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

  it("in as many cases as were recorded", () => expect(recordedCases).toHaveLength(51));

  it.each(recordedCases.map((one) => [one.name, one] as const))("%s", async (_name, { method, request, ok, error }) => {
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
    expect(version).toBe(2);
    expect(withoutDevices(status)).toBe(withoutDevices(vmm.status_when_created.status));
    const guestSees = driver.asked.find((vm) => vm.uid === uid)?.metadata;
    expect({ ...guestSees, "meta-data": guestSees?.["meta-data"]?.replace(uid, "UID") }).toEqual({
      ...vmm["metadata.json"].latest,
      "meta-data": "instance_id: UID\n",
    });
  });
});
