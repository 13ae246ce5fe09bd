import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { devDirectory, findDevState, takeDevDirectory, writeDevState } from "./dev-state.js";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "firerunner-dev-state-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const address = { url: "http://127.0.0.1:1", token: "t" };
const state = (pid: number) => ({ pid, gitlab: address, webhook: { url: "http://127.0.0.1:2", secret: "s" }, admin: address, hosts: [] });

it("a world that runs is found by its file, which only its owner may read", () => {
  writeDevState(directory, state(process.ppid));
  expect(findDevState(directory)).toEqual(state(process.ppid));
  expect(statSync(join(directory, "world.json")).mode & 0o777).toBe(0o600);
});

it("a second world is refused the directory of one that runs", () => {
  writeDevState(directory, state(process.ppid));
  expect(() => takeDevDirectory(directory)).toThrow(/runs already in .* stop it first/);
});

it("what a dead world or a broken file left is no world, and is removed", () => {
  for (const text of [JSON.stringify(state(2 ** 22 + 1)), "{"]) {
    writeFileSync(join(directory, "world.json"), text);
    expect(() => findDevState(directory)).toThrow("start one with `firerunner dev`");
    takeDevDirectory(directory);
    expect(() => statSync(join(directory, "world.json"))).toThrow("ENOENT");
  }
});

it("stands where the user's state is kept", () => {
  expect(devDirectory({ XDG_STATE_HOME: "/state" })).toBe("/state/firerunner/dev");
});
