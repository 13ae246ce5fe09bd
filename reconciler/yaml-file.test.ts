import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { FireRunnerError } from "./model/errors.js";
import { fleetSchema } from "./model/fleet.js";
import { serviceSchema } from "./model/service.js";
import { checkYaml, parseYaml, readYamlFile, refusedInFile } from "./yaml-file.js";

function refusal(step: () => unknown): string[] {
  try {
    step();
  } catch (caught) {
    if (caught instanceof FireRunnerError && caught.code === "FR-CONFIG") return caught.message.split("\n");
    throw caught;
  }
  throw new Error("nothing was refused");
}

const check = (schema: z.ZodType, text: string) => refusal(() => checkYaml(schema, parseYaml(text, "f.yaml", "FR-CONFIG"), "FR-CONFIG"));

describe("the service file's mistakes are told with line, path, value and what is accepted", () => {
  it.each<[string, string, string[]]>([
    ["nothing at all", "", ["f.yaml:1: owner: is missing: Invalid input: expected string, received undefined"]],
    ["an unknown key", "owner: me\nlistners: {}\n", ["f.yaml:2: listners: is not a known field"]],
    ["an unknown key below", "owner: me\nlisteners:\n  admin:\n    port: 5\n", ["f.yaml:4: listeners.admin.port: is not a known field"]],
    ["a bad owner", "owner: Me!\n", [`f.yaml:1: owner: "Me!" is refused: must be lower-case letters, digits and '-'`]],
    ["a number out of range", "owner: me\nschedules: {pollS: 0}\n", ["f.yaml:2: schedules.pollS: 0 is refused: must be above 0"]],
    ["text for a number", "owner: me\nschedules: {pollS: 5s}\n", ['f.yaml:2: schedules.pollS: "5s" is refused: must be a whole number']],
    [
      "a bare port",
      'owner: me\nlisteners: {admin: {listen: "8472"}}\n',
      ['f.yaml:2: listeners.admin.listen: "8472" is refused: must be ADDRESS:PORT, for example 127.0.0.1:8470'],
    ],
    [
      "an address beyond loopback",
      'owner: me\nlisteners:\n  admin:\n    listen: "0.0.0.0:8472"\n',
      [
        'f.yaml:4: listeners.admin.listen: "0.0.0.0:8472" is refused: is reachable beyond this machine: give tls {certFile, keyFile}, bind to 127.0.0.1, or say insecure: true',
      ],
    ],
    [
      "a secret in its reference's place",
      "owner: me\nkey: 0011aabb\n",
      ["f.yaml:2: key: the value is refused: must be env:NAME or file:PATH"],
    ],
    [
      "several, in the order of the schema",
      "owner: me\nadmin: {token: x}\ntelemetry: {logLevel: loud}\n",
      [
        "f.yaml:2: admin.token: the value is refused: must be env:NAME or file:PATH",
        'f.yaml:3: telemetry.logLevel: "loud" is refused: Invalid option: expected one of "debug"|"info"|"warn"|"error"',
      ],
    ],
    ["a list", "- owner: me\n", ["f.yaml:1: (the whole): "]],
  ])("%s", (_name, text, expected) => {
    const told = check(serviceSchema, text);
    expect(told).toHaveLength(expected.length);
    for (const [index, line] of expected.entries()) expect(told[index]).toContain(line);
  });

  it("the smallest file has a default for everything else", () => {
    const service = checkYaml(serviceSchema, parseYaml("owner: me # enough\n", "f.yaml", "FR-CONFIG"), "FR-CONFIG");
    expect(service).toMatchObject({ owner: "me", store: { kind: "sqlite" }, listeners: { public: { listen: "127.0.0.1:8470" } } });
  });
});

describe("what is no YAML", () => {
  it.each([
    ["an open list", "a: [1,\n", "f.yaml:2:1: not valid YAML"],
    ["a doubled key", "a: 1\nb: 2\na: 3\n", "f.yaml:3:1: not valid YAML: Map keys must be unique"],
    ["a tab as indentation", "a:\n\tb: 1\n", "f.yaml:2:1: not valid YAML"],
    ["two documents", "a: 1\n---\na: 2\n", "f.yaml:2:1: not valid YAML: a second document begins here"],
  ])("%s", (_name, text, message) => {
    expect(refusal(() => parseYaml(text, "f.yaml", "FR-CONFIG"))[0]).toContain(message);
  });

  it("a few lines that would become gigabytes", () => {
    const levels = Array.from({ length: 20 }, (_, n) => `l${n + 1}: &l${n + 1} [*l${n}, *l${n}, *l${n}]`);
    expect(refusal(() => parseYaml(`l0: &l0 [x]\n${levels.join("\n")}\n`, "f.yaml", "FR-CONFIG"))[0]).toContain("reading f.yaml as YAML");
  });

  it("a file that is not there, or a directory", () => {
    expect(refusal(() => readYamlFile("/nonexistent/f.yaml", "FR-CONFIG"))).toEqual(["there is no file /nonexistent/f.yaml"]);
    expect(refusal(() => readYamlFile("/", "FR-CONFIG"))[0]).toContain("reading / failed");
  });
});

describe("lines", () => {
  const text = 'hosts:\n  - name: a\n  - name: b\n    network:\n      subnet: x\npools:\n  - {name: p,\n     sizes: {"v1.2": {vcpu: 3}}}\n';
  const file = parseYaml(text, "f.yaml", "FR-CONFIG");

  it.each([
    ["hosts[1].network.subnet", 5],
    ["hosts[1].network.gateway", 4],
    ["hosts[0].capacity.vcpu", 2],
    ["pools[0].sizes.v1.2.vcpu", 8],
    ["images[0].name", 1],
    ["(the whole)", 1],
  ])("%s stands in line %i", (field, line) => {
    expect(file.lineOf(field)).toBe(line);
  });

  it("are given to what somebody else refused", () => {
    const error = refusedInFile([{ field: "hosts[1].name", message: '"b" is refused: taken' }], file, "FR-INVALID");
    expect(error).toMatchObject({ code: "FR-INVALID", message: 'f.yaml:3: hosts[1].name: "b" is refused: taken' });
  });

  it("of very many mistakes the first twenty are shown", () => {
    const many = parseYaml(`hosts:\n${"  - {}\n".repeat(40)}`, "f.yaml", "FR-CONFIG");
    const told = refusal(() => checkYaml(fleetSchema, many, "FR-CONFIG"));
    expect(told).toHaveLength(21);
    expect(told.at(-1)).toMatch(/^f.yaml: and \d+ more mistakes$/);
  });
});
