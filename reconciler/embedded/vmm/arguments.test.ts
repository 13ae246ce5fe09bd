import { expect, it } from "vitest";
import { parseVmmArguments } from "./arguments.js";

const usual = ["--id", "01M84KPCSZC3AH3Q5HXYRYHNTX", "--boot-timer", "--no-api", "--config-file", "a.cfg", "--metadata", "m.json"];

it("takes the command line of a flintlockd, with or without metadata", () => {
  expect(parseVmmArguments(usual)).toEqual({ id: "01M84KPCSZC3AH3Q5HXYRYHNTX", configFile: "a.cfg", metadataFile: "m.json" });
  expect(parseVmmArguments(usual.slice(0, 6)).metadataFile).toBeUndefined();
});

it.each([
  ["no id", usual.slice(2), /--id: is missing/],
  ["an id with a slash", ["--id", "a/b", ...usual.slice(2)], /--id: "a\/b" is refused/],
  ["no configuration", ["--id", "a", "--no-api"], /--config-file: is missing/],
  ["an API, which it does not have", ["--id", "a", "--config-file", "c"], /--no-api: is missing/],
  ["what only Firecracker can do", [...usual, "--api-sock", "s"], /--api-sock/],
])("refuses %s", (_, args, message) => {
  expect(() => parseVmmArguments(args)).toThrow(message);
});
