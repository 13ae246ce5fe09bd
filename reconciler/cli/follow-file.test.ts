import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { until } from "../model/until.fixture.js";
import { followFile } from "./follow-file.js";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fr-follow-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const path = () => join(directory, "console.log");

/** What is passed on, as it grows. */
function listen(options: { readonly tail?: number; readonly follow?: AbortSignal } = {}) {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  const ended = followFile(path(), { tail: options.tail, follow: options.follow, write });
  return { ended, text: () => text };
}

it("passes on what there is, its older half first, or the last lines of it", async () => {
  writeFileSync(`${path()}.1`, "one\ntwo\n");
  writeFileSync(path(), "three\nfour\n");
  const whole = listen();
  await whole.ended;
  expect(whole.text()).toBe("one\ntwo\nthree\nfour\n");
  for (const [tail, expected] of [
    [3, "two\nthree\nfour\n"],
    [0, ""],
    [99, whole.text()],
  ] as const) {
    const last = listen({ tail });
    await last.ended;
    expect(last.text()).toBe(expected);
  }
});

it("follows a file that grows and is replaced, to the last word before it vanishes", async () => {
  writeFileSync(path(), "one\n");
  const following = listen({ follow: new AbortController().signal });
  await until(() => following.text() === "one\n", "the beginning");
  appendFileSync(path(), "two\n");
  renameSync(path(), `${path()}.1`);
  writeFileSync(path(), "three\n");
  await until(() => following.text() === "one\ntwo\nthree\n", "the file in its place");
  appendFileSync(path(), "the end\n");
  rmSync(path());
  await following.ended;
  expect(following.text()).toBe("one\ntwo\nthree\nthe end\n");
});

it("ends when it is told to, and says which file is not there", async () => {
  writeFileSync(path(), "one\n");
  const told = new AbortController();
  const following = listen({ follow: told.signal });
  await until(() => following.text() === "one\n", "the beginning");
  told.abort();
  await following.ended;
  rmSync(path());
  await expect(listen().ended).rejects.toThrow(path());
});
