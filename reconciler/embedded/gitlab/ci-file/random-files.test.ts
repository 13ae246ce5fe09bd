import fc from "fast-check";
import { test } from "vitest";
import { FireRunnerError } from "../../../model/errors.js";
import { parseCiFile } from "./parse-ci-file.js";

test("no text makes it throw anything but FR-INVALID", () => {
  const token = fc.constantFrom(
    ..."a b : - [ ] { } , & * ! | > ? # ' \" \n ~ << *a &a .x script needs stage extends variables default tags 1 true 2020-01-01 0x1f".split(
      " ",
    ),
    "\n  ",
    "\n    ",
    ": ",
    "- ",
    "__proto__",
    "constructor",
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.array(token, { maxLength: 40 }).map((tokens) => tokens.join("")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        parseCiFile(text);
      } catch (caught) {
        if (!(caught instanceof FireRunnerError) || caught.code !== "FR-INVALID") throw caught;
      }
    }),
    { numRuns: 500 },
  );
});

test("no value under a keyword makes it throw anything but FR-INVALID", () => {
  const keyword = fc.constantFrom(
    ..."script needs stage extends variables tags when retry timeout allow_failure before_script image".split(" "),
  );
  fc.assert(
    fc.property(keyword, fc.json({ maxDepth: 3 }), keyword, fc.json({ maxDepth: 2 }), (one, value, other, second) => {
      try {
        parseCiFile(`default: {${one}: ${value}}\na: {script: x, ${other}: ${second}}\nb: {extends: a, ${one}: ${value}}`);
      } catch (caught) {
        if (!(caught instanceof FireRunnerError) || caught.code !== "FR-INVALID") throw caught;
      }
    }),
    { numRuns: 500 },
  );
});
