import { toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MicroVMSpecSchema } from "../../../proto/gen/types/microvm_pb.js";
import { MemoryDriver } from "../../embedded/host/memory-driver.js";
import { seededRandom } from "../../embedded/host/seeded-random.js";
import { startEmbeddedHost } from "../../embedded/host/start-embedded-host.js";
import { wireClient } from "../../embedded/host/wire-client.fixture.js";
import { FireRunnerError } from "../../model/errors.js";
import type { HostInput } from "../../model/host.js";
import { formatIpv4 } from "../../model/ipv4.js";
import { ManualClock } from "../../model/manual-clock.fixture.js";
import type { CreateRequest } from "../port.js";
import { createRequest, hostAt } from "./create-request.fixture.js";
import { buildMicrovmSpec } from "./microvm-spec.js";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const request = (host: Partial<HostInput> = {}, change: Partial<Omit<CreateRequest, "host">> = {}): CreateRequest =>
  createRequest(hostAt("127.0.0.1:9090", host), change);

describe("buildMicrovmSpec", () => {
  it("says all that a host needs, and nothing that it drops", () => {
    expect(toJson(MicroVMSpecSchema, buildMicrovmSpec(request()))).toEqual({
      id: "vm-abcdefghijab",
      namespace: "fr-test",
      provider: "firecracker",
      vcpu: 2,
      memoryInMb: 2048,
      kernel: { image: "registry.test/kernel:6.1", filename: "boot/vmlinux", cmdline: { quiet: "" }, addNetworkConfig: true },
      rootVolume: { id: "root", source: { containerSource: "registry.test/rootfs:1" } },
      interfaces: [
        {
          deviceId: "eth1",
          type: "TAP",
          guestMac: "02:00:00:00:00:05",
          address: { address: "10.20.0.5/24", gateway: "10.20.0.1/24", nameservers: ["1.1.1.1"] },
        },
      ],
      metadata: {
        "firerunner-boot": base64("v=1\nvm=vm-abcdefghijab\n"),
        "firerunner-mark": base64('{"v":1,"owner":"tést"}'),
      },
    });
  });

  it("leaves the address to DHCP and names the bridge where the host is declared so", () => {
    const spec = buildMicrovmSpec(request({ network: { mode: "dhcp", bridge: "br0" } }));
    expect(spec.interfaces[0]?.address).toBeUndefined();
    expect(spec.interfaces[0]?.overrides?.bridgeName).toBe("br0");
    expect(buildMicrovmSpec(request()).interfaces[0]?.overrides).toBeUndefined();
  });

  const { image, microvm } = request();
  const vm = (change: Partial<CreateRequest["microvm"]>) => ({ microvm: { ...microvm, ...change } });
  const kernel = (change: Partial<CreateRequest["image"]["kernel"]>) => ({ image: { ...image, kernel: { ...image.kernel, ...change } } });
  it.each<[string, Partial<Omit<CreateRequest, "host">>]>([
    ['namespace: "a/b" is refused', { namespace: "a/b" }],
    ['microvm.name: "A" is refused', vm({ name: "A" })],
    ['microvm.name: "-a" is refused', vm({ name: "-a" })],
    ["together must be at most 36 characters", vm({ name: "v".repeat(30) })],
    ["microvm.size.vcpu: 3 is refused: must be 1 or an even number", vm({ size: { vcpu: 3, memoryMb: 1024 } })],
    ["microvm.size.vcpu: 34 is refused", vm({ size: { vcpu: 34, memoryMb: 1024 } })],
    ["microvm.size.memoryMb: 512 is refused: must be 1024 to 32768", vm({ size: { vcpu: 2, memoryMb: 512 } })],
    ["microvm.size.memoryMb: 32769 is refused", vm({ size: { vcpu: 2, memoryMb: 32_769 } })],
    ['microvm.mac: "03:00:00:00:00:01" is refused', vm({ mac: "03:00:00:00:00:01" })],
    ['microvm.mac: "aa:ff:00:00:00:01" is refused', vm({ mac: "aa:ff:00:00:00:01" })],
    ['microvm.mac: "2:0:0:0:0:1" is refused', vm({ mac: "2:0:0:0:0:1" })],
    ["microvm.address: null is refused", vm({ address: undefined } as never)],
    ['microvm.address: "10.20.0.5" is refused', vm({ address: "10.20.0.5" })],
    ['microvm.address: "10.20.0.5/16" is refused', vm({ address: "10.20.0.5/16" })],
    ['microvm.address: "10.21.0.5/24" is refused', vm({ address: "10.21.0.5/24" })],
    ['microvm.address: "10.20.0.1/24" is refused: must be an address of subnet 10.20.0.0/24', vm({ address: "10.20.0.1/24" })],
    ['image.kernel.image: "Kernel:1" is refused', kernel({ image: "Kernel:1" })],
    ['image.kernel.image: "library/kernel:1" is refused: must begin with its registry', kernel({ image: "library/kernel:1" })],
    ["must end with a tag or a digest", kernel({ image: "registry.test/kernel" })],
    ['image.rootfs.image: "registry.test/Root:1" is refused', { image: { ...image, rootfs: { image: "registry.test/Root:1" } } }],
    ['image.kernel.filename: "../vmlinux" is refused', kernel({ filename: "../vmlinux" })],
    ['image.kernel.filename: "boot/" is refused', kernel({ filename: "boot/" })],
    ['image.kernel.cmdline: "a b" is refused', kernel({ cmdline: { "a b": "" } })],
    ['image.kernel.cmdline.a: "b c" is refused', kernel({ cmdline: { a: "b c" } })],
    ["image.kernel.cmdline: 902 characters are refused: must be at most 800", kernel({ cmdline: { ["a".repeat(900)]: "" } })],
    ['metadata: "meta-data" is refused', { metadata: { "meta-data": "- a\n" } }],
    ['metadata: "meta-data" is refused', { metadata: { "meta-data": "*a" } }],
    ['metadata: "meta-data" is refused', { metadata: { "meta-data": "cpus: 2\n" } }],
    ['metadata: "a/b" is refused', { metadata: { "a/b": "" } }],
    ["metadata: 50011 bytes are refused: must be at most 50000", { metadata: { blob: "x".repeat(50_000) } }],
  ])("refuses before sending: %s", (message, change) => {
    expect(() => buildMicrovmSpec(request({}, change))).toThrow(expect.objectContaining({ code: "FR-INVALID", retryable: false }));
    expect(() => buildMicrovmSpec(request({}, change))).toThrow(message);
  });

  it("refuses an address on a host with DHCP, and a bridge that is no interface's name", () => {
    const dhcp = request({ network: { mode: "dhcp", bridge: "a b" } }, vm({}));
    expect(() => buildMicrovmSpec(dhcp)).toThrow('microvm.address: "10.20.0.5/24" is refused: must be absent');
    expect(() => buildMicrovmSpec(dhcp)).toThrow('host.network.bridge: "a b" is refused');
  });

  it("names every value that it refuses, with the microVM and the host", () => {
    const bad = request({}, { ...vm({ mac: "x", size: { vcpu: 3, memoryMb: 1 } }) });
    try {
      buildMicrovmSpec(bad);
      expect.unreachable();
    } catch (error) {
      const lines = error instanceof FireRunnerError ? error.message.split("\n") : [];
      expect(lines).toHaveLength(3);
      for (const line of lines) expect(line).toMatch(/^microVM "vm-abcdefghijab" for host "host-a": microvm\./);
    }
  });
});

describe("any request", () => {
  const word = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,14}$/);
  const odd = fc.string({ unit: "binary", maxLength: 12 });
  const mostly = <T>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>) =>
    fc.oneof({ arbitrary: usual, weight: 12 }, { arbitrary: rare, weight: 1 });
  const requests = fc
    .record({
      namespace: mostly(word, odd),
      name: mostly(word, odd),
      vcpu: mostly(fc.constantFrom(1, 2, 8, 32), fc.integer()),
      memoryMb: mostly(fc.integer({ min: 1024, max: 32_768 }), fc.integer()),
      address: mostly(
        fc.integer({ min: 2, max: 254 }).map((last) => `10.20.0.${last}/24`),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(formatIpv4),
      ),
      mac: mostly(
        fc.integer({ min: 0, max: 255 }).map((n) => `02:00:00:00:00:${n.toString(16).padStart(2, "0")}`),
        odd,
      ),
      image: mostly(fc.constant("registry.test/kernel:1"), odd),
      filename: mostly(fc.constant("boot/vmlinux"), odd),
      cmdline: fc.dictionary(mostly(word, odd), mostly(word, odd), { maxKeys: 3, noNullPrototype: true }),
      metadata: fc.dictionary(mostly(word, odd), odd, { maxKeys: 3, noNullPrototype: true }),
    })
    .map(({ namespace, name, vcpu, memoryMb, address, mac, image, filename, cmdline, metadata }) => {
      const base = request();
      return {
        ...base,
        namespace,
        metadata,
        image: { ...base.image, kernel: { image, filename, cmdline } },
        microvm: { ...base.microvm, name, size: { vcpu, memoryMb }, address, mac },
      };
    });

  it("is refused with FR-INVALID, or taken by a host, which shows what was asked for", async () => {
    const host = await startEmbeddedHost({
      listen: "127.0.0.1:0",
      driver: new MemoryDriver(),
      clock: new ManualClock(),
      random: seededRandom(),
    });
    const client = wireClient(host.address);
    let taken = 0;
    try {
      await fc.assert(
        fc.asyncProperty(requests, async (asked) => {
          let spec: ReturnType<typeof buildMicrovmSpec>;
          try {
            spec = buildMicrovmSpec(asked);
          } catch (error) {
            expect(error).toMatchObject({ code: "FR-INVALID" });
            return;
          }
          taken += 1;
          expect(spec.id.length + spec.namespace.length).toBeLessThanOrEqual(36);
          const answer = await client.call("CreateMicroVM", { microvm: toJson(MicroVMSpecSchema, spec) });
          expect(answer).toMatchObject({ ok: { microvm: { spec: { id: asked.microvm.name, namespace: asked.namespace } } } });
          for (const [key, text] of Object.entries(asked.metadata)) {
            expect(Buffer.from(spec.metadata[key] ?? "", "base64").toString()).toBe(Buffer.from(text).toString());
          }
        }),
        { numRuns: 200 },
      );
      expect(taken).toBeGreaterThan(20);
      expect((await client.call("ListMicroVMs", {})) as object).toHaveProperty("ok");
    } finally {
      client.close();
      await host.stop();
    }
  });
});
