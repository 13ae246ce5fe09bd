import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { aJob } from "../../http/listeners.fixture.js";
import { jobStory } from "../job-story.js";
import { colour, wantsColour } from "../terminal.js";
import { structured } from "./render.js";
import { clean, table } from "./table.js";
import { duration, timestamp } from "./times.js";

const plain = (text: string) => text;

describe("a table", () => {
  it("lines up its columns and leaves nothing behind the last one", () => {
    expect(
      table(
        ["NAME", "N"],
        [
          ["a-long-name", "1"],
          ["b", ""],
        ],
        plain,
      ),
    ).toBe("NAME         N\na-long-name  1\nb");
  });

  it("colours cells without moving others", () => {
    const text = table(["A", "B"], [[{ text: "x", colour: "red" }, "y"]], colour);
    expect(text).toContain("\u001b[31mx\u001b[39m  y");
  });

  it.each([
    ["a line break", "one\ntwo", "one two"],
    ["an escape sequence", "\u001b[2Jgone\u0007", "[2Jgone"],
    ["a tab", "a\tb", "a b"],
  ])("a name with %s cannot break it, nor the terminal", (_name, text, shown) => {
    expect(clean(text)).toBe(shown);
  });
});

describe("times", () => {
  it.each([
    [-5, "0s"],
    [4_400, "4s"],
    [60_000, "1m"],
    [200_000, "3m20s"],
    [3_600_000, "1h"],
    [7_500_000, "2h5m"],
    [6 * 86_400_000 + 3_600_000, "6d1h"],
  ])("%i ms are %s", (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  it("a point in time is ISO 8601 in UTC", () => {
    expect(timestamp(1_700_000_000_123)).toBe("2023-11-14T22:13:20Z");
  });
});

describe("data", () => {
  const value = { a: 1, text: "yes: no", left: undefined, long: "word ".repeat(50).trim() };

  it("is the same as JSON and as YAML, and what is undefined is left out", () => {
    expect(JSON.parse(structured(value, "json"))).toEqual(parse(structured(value, "yaml")));
    expect(structured(value, "yaml")).not.toContain("left");
  });
});

it.each([
  [true, {}, true],
  [false, {}, false],
  [true, { NO_COLOR: "1" }, false],
  [true, { NO_COLOR: "anything" }, false],
  [true, { NO_COLOR: "" }, true],
  [true, { TERM: "dumb" }, false],
])("colour on a terminal (%s) with %o: %s", (isTerminal, env, expected) => {
  expect(wantsColour(isTerminal, env)).toBe(expected);
});

describe("a job's story", () => {
  const at = 1_700_000_000_000;
  const job = { key: "gitlab/380/41977", ...aJob({ createdAt: at, queuedAt: at + 1000 }) };

  it("of one that waits says for how long and for what, and goes on until now", () => {
    const waitingReason = { code: "FR-POOL-LIMIT", message: 'pool "small" is at its 2 microVMs' };
    const { waiting, steps } = jobStory({ ...job, waitingReason }, at + 61_000);
    expect(waiting).toBe('for 1m: pool "small" is at its 2 microVMs (FR-POOL-LIMIT)');
    expect(steps.map(([, what, after]) => [what, after])).toEqual([
      ["created", ""],
      ["queued", "+1s"],
      ["pending", "+1m"],
    ]);
  });

  it("of one that is over has its microVM and its end", () => {
    const finished = {
      ...job,
      status: "failed" as const,
      vm: "vm-a",
      host: "rack-1",
      vmAt: at + 2000,
      startedAt: at + 5000,
      finishedAt: at + 65_000,
    };
    const { waiting, steps } = jobStory(finished, at + 1e9);
    expect(waiting).toBeUndefined();
    expect(steps.map(([, what, after]) => [what, after])).toEqual([
      ["created", ""],
      ["queued", "+1s"],
      ["microVM vm-a decided on host rack-1", "+1s"],
      ["started", "+3s"],
      ["finished: failed", "+1m"],
    ]);
  });
});
