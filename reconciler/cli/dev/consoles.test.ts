import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { hostSchema } from "../../model/host.js";
import { aVm } from "../../plan/snapshot.fixture.js";
import { findConsole } from "./consoles.js";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fr-consoles-"));
  for (const folder of ["host-1/UID1", "host-1-consoles"]) mkdirSync(join(directory, folder), { recursive: true });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const address = { url: "http://127.0.0.1:1", token: "t" };
const world = () => ({
  ...{ pid: 1, gitlab: address, webhook: { url: "http://127.0.0.1:2", secret: "s" }, admin: address },
  hosts: [
    {
      endpoint: "127.0.0.1:9090",
      console: join(directory, "host-1/{uid}/console.log"),
      keptConsole: join(directory, "host-1-consoles/{name}.log"),
    },
  ],
});
const host = (endpoint: string) =>
  hostSchema.parse({ name: "host", endpoint, capacity: { vcpu: 1, memoryMb: 1024, microvms: 1 }, network: { mode: "dhcp" } });
const microvm = aVm({ name: "vm-one", host: "host", uid: "UID1" });
const ofOwnHost = { name: "vm-one", microvm, host: host("127.0.0.1:9090") };

it("lies where its host runs it, and is kept when it is gone", () => {
  writeFileSync(join(directory, "host-1/UID1/console.log"), "text");
  expect(findConsole(ofOwnHost, world())).toEqual({ file: join(directory, "host-1/UID1/console.log"), live: true });
  const gone = { name: "vm-two", microvm: undefined, host: undefined };
  expect(() => findConsole(gone, world())).toThrow('no microVM is called "vm-two" (any more)');
  writeFileSync(join(directory, "host-1-consoles/vm-two.log"), "text");
  expect(findConsole(gone, world())).toEqual({ file: join(directory, "host-1-consoles/vm-two.log"), live: false });
});

it("of a microVM that its host has not started there is none", () => {
  expect(() => findConsole(ofOwnHost, world())).toThrow("has written nothing yet");
  expect(() => findConsole({ ...ofOwnHost, microvm: aVm({ name: "vm-one" }) }, world())).toThrow("has written nothing yet");
});

it("is on another host where flintlockd put it, which is said", () => {
  for (const known of [undefined, world()]) {
    expect(() => findConsole({ ...ofOwnHost, host: host("10.0.0.7:9090") }, known)).toThrow(
      /its host "host" \(10\.0\.0\.7:9090\), whose API cannot read it: look there at \/var\/lib\/flintlock\/vm\/\*\/vm-one\/UID1\/firecracker\.stdout/,
    );
  }
});
