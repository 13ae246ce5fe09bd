import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { droppedOptions, lackingOptions, readKernelOptions } from "./kernel-options.js";
import { recipe } from "./recipes.js";

const fragment = (name: string) => readKernelOptions(readFileSync(recipe(`kernel/${name}.config`), "utf8"));

it("reads what is set and what is said to be off, and passes over all else", () => {
  const options = readKernelOptions('# a comment\nCONFIG_A=y\n\n# CONFIG_B is not set\nCONFIG_C="text"\nCONFIG_D=32\n# CONFIG_E\n');
  expect([...options]).toEqual([
    ["A", "y"],
    ["B", "n"],
    ["C", '"text"'],
    ["D", "32"],
  ]);
});

it("names what a configuration dropped, and what it has although it was said to be off", () => {
  const wanted = readKernelOptions("CONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\n# CONFIG_D is not set\n");
  const config = readKernelOptions("CONFIG_A=y\nCONFIG_C=y\n");
  expect(droppedOptions(wanted, config)).toEqual([
    { name: "B", value: "y" },
    { name: "C", value: "n" },
  ]);
});

it("the fragment of `minimal` has all that a guest needs, and every option of it has a comment before it", () => {
  expect(lackingOptions(fragment("minimal"), "amd64")).toEqual([]);
  expect(lackingOptions(new Map([...fragment("minimal"), ...fragment("arm64")]), "arm64")).toEqual([]);
  for (const name of ["minimal", "container", "arm64"]) {
    const paragraphs = readFileSync(recipe(`kernel/${name}.config`), "utf8")
      .trim()
      .split("\n\n");
    for (const paragraph of paragraphs) expect(paragraph, paragraph).toMatch(/^# (?!CONFIG)/);
  }
});

it("`container` takes nothing back that `minimal` has", () => {
  const minimal = fragment("minimal");
  for (const [name] of fragment("container")) expect(minimal.has(name), name).toBe(false);
});

it("tells a module from what is missing, each with what it is for", () => {
  const config = new Map([...fragment("minimal"), ["EXT4_FS", "m"], ["VIRTIO_NET", "n"]]);
  expect(lackingOptions(config, "amd64").map(({ name, found }) => `${name} ${found}`)).toEqual(["VIRTIO_NET missing", "EXT4_FS module"]);
  expect(lackingOptions(config, "amd64").every(({ reason }) => reason.length > 10)).toBe(true);
});
