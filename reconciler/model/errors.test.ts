import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { errorCodes, FireRunnerError } from "./errors.js";

it("docs/errors.md documents every code as the table does, and no other", () => {
  const text = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `(FR-[A-Z-]+)` \| (.*) \|$/gm)].map(([, code, meaning]) => [code, meaning]);
  expect(rows).toEqual(Object.entries(errorCodes));
});

it("what is already one of ours stays itself, anything else becomes one with its cause", () => {
  const own = new FireRunnerError("FR-STORE", "the store is gone");
  expect(FireRunnerError.from(own, "FR-INTERNAL")).toBe(own);
  const cause = new Error("boom");
  expect(FireRunnerError.from(cause, "FR-STORE", "writing")).toMatchObject({ code: "FR-STORE", message: "writing failed: boom", cause });
  expect(FireRunnerError.from("text").message).toBe("an internal step failed: text");
});
