import { describe, expect, it } from "vitest";
import { FireRunnerError } from "./errors.js";
import { fleetRefusals, fleetSchema } from "./fleet.js";
import { hostSchema } from "./host.js";
import { poolSchema } from "./pool.js";
import { serviceSchema } from "./service.js";
import { parseOrRefuse } from "./validation.js";

const size = { vcpu: 1, memoryMb: 1024 };
const pool = { name: "p", connection: "c", image: "i", tags: ["t"], sizes: { small: size }, size: "small", maxMicrovms: 2 };
const network = { mode: "static", subnet: "10.20.0.0/24", gateway: "10.20.0.1" };
const host = { name: "h", endpoint: "h:9090", capacity: { vcpu: 4, memoryMb: 4096, microvms: 4 }, network };

function refusal(schema: Parameters<typeof parseOrRefuse>[0], value: unknown): string {
  try {
    parseOrRefuse(schema, value, "it");
    return "accepted";
  } catch (caught) {
    if (caught instanceof FireRunnerError && caught.code === "FR-INVALID") return caught.message;
    throw caught;
  }
}

describe("a refusal names the field, the value and what is accepted", () => {
  it.each<[string, unknown, string]>([
    ["a missing field", { ...pool, image: undefined }, "it: image: is missing"],
    ["an unknown field", { ...pool, colour: "red" }, "it: colour: is not a known field"],
    ["a negative size", { ...pool, sizes: { small: { ...size, vcpu: -1 } } }, "it: sizes.small.vcpu: -1 is refused: must be above 0"],
    ["an odd size", { ...pool, sizes: { small: { ...size, vcpu: 3 } } }, "it: sizes.small.vcpu: 3 is refused: must be 1 or an even number"],
    [
      "a size that no host boots",
      { ...pool, sizes: { small: { ...size, memoryMb: 1023 } } },
      "it: sizes.small.memoryMb: 1023 is refused: must be at least 1024, the least that Flintlock boots",
    ],
    [
      "limits that no host boots",
      { ...pool, limits: { vcpu: 1, memoryMb: 1023 } },
      "it: limits.memoryMb: 1023 is refused: must be at least 1024",
    ],
    ["a default that is no size", { ...pool, size: "huge" }, 'it: size: "huge" is refused: must be one of the sizes: small'],
    ["more warm than allowed", { ...pool, minIdle: 3 }, "it: minIdle: 3 is refused: must be at most maxMicrovms (2)"],
    ["a pool that no job matches", { ...pool, tags: [] }, "it: tags: [] is refused: must name a tag unless runUntagged is true"],
    ["a name in capitals", { ...pool, name: "P" }, 'it: name: "P" is refused: must be lower-case letters'],
  ])("%s", (_, value, expected) => {
    expect(refusal(poolSchema, value)).toContain(expected);
  });

  it.each([
    ["10.21.0.5", "must be addresses of subnet 10.20.0.0/24"],
    ["10.20.0.250-10.20.1.2", "must be addresses of subnet 10.20.0.0/24"],
    ["the printer", "must be an address, FIRST-LAST or a network"],
  ])("an excluded address %s", (text, accepted) => {
    const refused = refusal(hostSchema, { ...host, network: { ...network, exclude: ["10.20.0.9", text] } });
    expect(refused).toContain(`it: network.exclude[1]: "${text}" is refused: ${accepted}`);
  });

  it("of a union it shows the branch that was meant", () => {
    expect(refusal(hostSchema, { ...host, tls: { certFile: "c.pem" } })).toBe(
      'it: tls: {"certFile":"c.pem"} is refused: certFile and keyFile must be given together',
    );
    expect(refusal(hostSchema, { ...host, network: { ...network, gateway: "10.21.0.1" } })).toBe(
      'it: network.gateway: "10.21.0.1" is refused: must be an address of subnet 10.20.0.0/24',
    );
  });

  it("one line for each mistake", () => {
    expect(refusal(poolSchema, { ...pool, image: 1, connection: 2 }).split("\n")).toHaveLength(2);
  });
});

describe("a listener", () => {
  const listen = (admin: unknown) => refusal(serviceSchema, { owner: "acme", listeners: { admin } });

  it("beyond loopback needs TLS, or insecure said by name", () => {
    expect(listen({ listen: "0.0.0.0:80" })).toContain('listeners.admin.listen: "0.0.0.0:80" is refused: is reachable beyond this machine');
    expect(listen({ listen: "0.0.0.0:80", insecure: true })).toBe("accepted");
    expect(listen({ listen: "0.0.0.0:80", tls: { certFile: "c", keyFile: "k" } })).toBe("accepted");
    for (const address of ["127.0.0.1:0", "localhost:1", "[::1]:2"]) expect(listen({ listen: address })).toBe("accepted");
  });
});

describe("a fleet", () => {
  const fleet = (change: object) => fleetRefusals(fleetSchema.parse({ hosts: [host], pools: [], ...change }));
  const image = { name: "i", kernel: { image: "r/k:1" }, rootfs: { image: "r/r:1" } };
  const connection = { name: "c", kind: "gitlab", url: "https://g.example", token: "env:T", scope: { instance: true } };

  it("that fits together has no refusals", () => {
    expect(fleet({ images: [image], connections: [connection], pools: [pool] })).toEqual([]);
  });

  it("is told of references to nothing", () => {
    expect(fleet({ images: [image], pools: [pool] })).toEqual([
      { field: "pools[0].connection", message: '"c" is refused: no such connection; no connection is declared' },
    ]);
  });

  it("is told of doubled names and of networks that share addresses", () => {
    const twin = { ...host, network: { ...network, subnet: "10.20.0.128/25", gateway: "10.20.0.129" } };
    expect(fleet({ hosts: [host, twin] }).map(({ field, message }) => `${field}: ${message}`)).toEqual([
      'hosts[1].name: "h" is refused: another of the hosts has this name',
      'hosts[1].network.subnet: "10.20.0.128/25" is refused: it overlaps 10.20.0.0/24 of host "h"',
    ]);
  });
});
