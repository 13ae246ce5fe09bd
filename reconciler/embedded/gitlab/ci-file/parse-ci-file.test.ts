import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FireRunnerError } from "../../../model/errors.js";
import type { JobDefinition } from "./definition.js";
import { parseCiFile } from "./parse-ci-file.js";

/** The only job of a file. */
function only(text: string): JobDefinition {
  const { jobs } = parseCiFile(text);
  expect(jobs).toHaveLength(1);
  return jobs[0] as JobDefinition;
}

/** The named job of a file. */
function job(text: string, name: string): JobDefinition {
  const found = parseCiFile(text).jobs.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no job ${name}`);
  return found;
}

function refusal(text: string): string {
  try {
    parseCiFile(text);
  } catch (caught) {
    expect(caught).toBeInstanceOf(FireRunnerError);
    expect((caught as FireRunnerError).code).toBe("FR-INVALID");
    return (caught as FireRunnerError).message;
  }
  throw new Error("the file was accepted");
}

describe("what a file asks for", () => {
  test("a job with nothing but a script gets GitLab's defaults", () => {
    expect(parseCiFile("unit: {script: make}")).toEqual({
      stages: [".pre", "build", "test", "deploy", ".post"],
      jobs: [
        {
          name: "unit",
          stage: "test",
          needs: undefined,
          beforeScript: [],
          script: ["make"],
          afterScript: [],
          variables: [],
          tags: [],
          when: "on_success",
          allowFailure: false,
          retry: { max: 0, when: ["always"] },
          timeoutS: undefined,
          startInS: undefined,
          resourceGroup: undefined,
        },
      ],
    });
  });

  test("jobs that are delayed, and jobs that exclude one another", () => {
    expect(only("a: {script: x, when: delayed, start_in: 30 minutes}")).toMatchObject({
      when: "delayed",
      startInS: 1800,
      allowFailure: false,
    });
    expect(only("a: {script: x, resource_group: production}")).toMatchObject({ resourceGroup: "production" });
  });

  test("every keyword is read", () => {
    const text = `
stages: [.post, check, .pre, ship]
variables:
  A: global
  B: {value: described, description: what it is for, options: [described, other]}
first: {stage: check, script: [true command]}
all:
  stage: ship
  needs: [first, {job: first2, optional: true}]
  before_script: [one, [two, [three]]]
  script:
    - |
      four
      five
  after_script: six
  variables: {A: own, C: 12, D: 1.50, E: 3.0, F: 12345678901234567890, G: ""}
  tags: [x, y, x]
  when: always
  allow_failure: {exit_codes: [3, 137]}
  retry: {max: 2, when: [script_failure, runner_system_failure]}
  timeout: 1h 30m
  image: alpine
  services: [postgres]
  interruptible: true
`;
    expect(parseCiFile(text).stages).toEqual([".pre", "check", "ship", ".post"]);
    expect(job(text, "all")).toEqual({
      name: "all",
      stage: "ship",
      needs: [{ job: "first", optional: false }],
      beforeScript: ["one", "two", "three"],
      script: ["four\nfive\n"],
      afterScript: ["six"],
      variables: [
        { key: "A", value: "own" },
        { key: "B", value: "described" },
        { key: "C", value: "12" },
        { key: "D", value: "1.5" },
        { key: "E", value: "3.0" },
        { key: "F", value: "12345678901234567890" },
        { key: "G", value: "" },
      ],
      tags: ["x", "y"],
      when: "always",
      allowFailure: { exitCodes: [3, 137] },
      retry: { max: 2, when: ["script_failure", "runner_system_failure"] },
      timeoutS: 5400,
    });
  });

  test("needs: an empty list waits for nothing, no list waits for all earlier stages", () => {
    expect(only("a: {script: x, needs: []}").needs).toEqual([]);
    expect(only("a: {script: x}").needs).toBeUndefined();
  });

  test("jobs of one stage may need each other", () => {
    expect(job("a: {script: x}\nb: {script: x, needs: [a]}", "b").needs).toEqual([{ job: "a", optional: false }]);
  });

  test("a manual job may fail unless it says otherwise", () => {
    expect(only("a: {script: x, when: manual}").allowFailure).toBe(true);
    expect(only("a: {script: x, when: manual, allow_failure: false}").allowFailure).toBe(false);
  });

  test("yes is true and y is text, as in GitLab", () => {
    expect(only("a: {script: y, allow_failure: yes}")).toMatchObject({ script: ["y"], allowFailure: true });
    expect(only("n: {script: x}").name).toBe("n");
  });

  test.each([
    ["1h 30m", 5400],
    ["90 minutes", 5400],
    ["1 hour, 30 minutes and 5 seconds", 5405],
    ["3h30m", 12_600],
    ["1.5 hours", 5400],
    ["2 days", 172_800],
    ['"600"', 600],
    ['"1:30:00"', 5400],
  ])("timeout: %s", (written, seconds) => {
    expect(only(`a: {script: x, timeout: "${written.replaceAll('"', "")}"}`).timeoutS).toBe(seconds);
  });

  test.each([
    ["2", { max: 2, when: ["always"] }],
    ["{max: 1}", { max: 1, when: ["always"] }],
    ["{max: 1, when: script_failure}", { max: 1, when: ["script_failure"] }],
  ])("retry: %s", (written, retry) => {
    expect(only(`a: {script: x, retry: ${written}}`).retry).toEqual(retry);
  });

  test("the quickstart's pipeline is accepted", () => {
    const text = readFileSync(new URL("../../../../examples/quickstart/greetings/.gitlab-ci.yml", import.meta.url), "utf8");
    const { stages, jobs } = parseCiFile(text);
    expect(stages).toEqual([".pre", "build", "test", "release", ".post"]);
    expect(jobs.map(({ name }) => name)).toContain("integration");
    expect(jobs.find(({ name }) => name === "integration")).toMatchObject({ tags: ["firerunner", "large"], needs: undefined });
    expect(jobs.find(({ name }) => name === "unit")).toMatchObject({
      tags: ["firerunner"],
      needs: [{ job: "compile", optional: false }],
      variables: [{ key: "TEAM", value: "platform" }],
    });
  });
});

describe("defaults, anchors and extends", () => {
  test("default: is replaced by what a job says, keyword by keyword", () => {
    const text = `
default: {tags: [a], before_script: [d], after_script: [e], retry: 1, timeout: 1h, image: alpine}
x: {script: x}
y: {script: x, tags: [], before_script: []}
`;
    expect(job(text, "x")).toMatchObject({ tags: ["a"], beforeScript: ["d"], afterScript: ["e"], retry: { max: 1 }, timeoutS: 3600 });
    expect(job(text, "y")).toMatchObject({ tags: [], beforeScript: [], afterScript: ["e"] });
  });

  test("before_script and after_script may stand at the top", () => {
    expect(only("before_script: [b]\nafter_script: [c]\nimage: alpine\na: {script: x}")).toMatchObject({
      beforeScript: ["b"],
      afterScript: ["c"],
    });
  });

  test("hidden jobs do not run and may hold anything", () => {
    expect(only(".hidden: [1, 2]\n.other: {rules: [], what: ever}\na: {script: x}").name).toBe("a");
  });

  test("anchors, merge keys and nested script lists work together", () => {
    const text = `
.setup: &setup
  - one
  - two
.base: &base
  tags: [t]
  stage: build
  variables: {A: base}
a:
  <<: *base
  stage: deploy
  script:
    - *setup
    - three
`;
    expect(job(text, "a")).toMatchObject({
      stage: "deploy",
      tags: ["t"],
      script: ["one", "two", "three"],
      variables: [{ key: "A", value: "base" }],
    });
  });

  test("of several merged mappings the first wins", () => {
    expect(only(".a: &a {stage: build}\n.b: &b {stage: deploy, tags: [t]}\nx: {<<: [*a, *b], script: x}")).toMatchObject({
      stage: "build",
      tags: ["t"],
    });
  });

  test("extends merges mappings and replaces lists; later parents and the job itself win", () => {
    const text = `
.one: {script: [one], variables: {A: 1, B: 1}, tags: [one], retry: 2}
.two: {extends: .one, variables: {B: 2, C: 2}, tags: [two]}
.three: {variables: {C: 3}, when: always}
a: {extends: [.two, .three], variables: {D: 4}, script: [own]}
`;
    expect(job(text, "a")).toMatchObject({
      script: ["own"],
      tags: ["two"],
      when: "always",
      retry: { max: 2 },
      variables: [
        { key: "A", value: "1" },
        { key: "B", value: "2" },
        { key: "C", value: "3" },
        { key: "D", value: "4" },
      ],
    });
  });

  test("a keyword without a value takes back what was extended", () => {
    expect(job("a: {script: x, tags: [t], variables: {A: 1}}\nb: {extends: a, tags: , variables: }", "b")).toMatchObject({
      tags: [],
      variables: [],
    });
  });
});

describe("what is refused", () => {
  test.each([
    ["", "line 1: the file must be a mapping of jobs"],
    ["just text", "line 1: the file must be a mapping of jobs"],
    [".hidden: {script: x}", "the file has no job"],
    ["a: {script: [x", "line 1: not valid YAML"],
    ["a:\n  script: x\n b: 1", "line 3: not valid YAML"],
    ["---\na: {script: x}\n---\nb: {script: x}", "a second YAML document is not supported"],
    ["a: {script: *nowhere}", "*nowhere names no anchor above it"],
    ["a: &a {script: x, variables: *a}", "contains itself"],
    ["a: {script: !reference [.b, script]}", "line 1: the YAML tag is not supported by the embedded GitLab"],
    ["a: text", 'line 1: job "a": "text" is refused: a job must be a mapping'],
    ["a: {stage: test}", 'job "a": script is missing'],
    ["a: {script: []}", 'job "a": script: is empty'],
    ['a: {script: ["", " "]}', 'job "a": script: is empty'],
    ["a: {script: }", 'job "a": script is missing'],
    ["a:\n  script:\n    - echo: hi", 'job "a": script: a mapping is refused: must be a command'],
    ["a: {script: [12]}", 'job "a": script: 12 is refused: must be a command'],
    ["a: {script: [[[[[[[[[[[[x]]]]]]]]]]]]}", "nested at most 10 levels deep"],
    ["a:\n  script: x\n  rules: [{if: $X}]", 'line 3: job "a": rules: is not supported by the embedded GitLab'],
    ["a: {script: x, scirpt: y}", 'job "a": scirpt: is not a keyword of a job'],
    ["include: other.yml\na: {script: x}", "line 1: include: is not supported by the embedded GitLab: put all jobs into this file"],
    ["workflow: {rules: []}\na: {script: x}", "workflow: is not supported by the embedded GitLab"],
    ["default: {stage: build}\na: {script: x}", "default: stage: is not a keyword of default"],
    ["default: {cache: {paths: [x]}}\na: {script: x}", "default: cache: is not supported"],
    ["default: {before_script: [a]}\nbefore_script: [b]\na: {script: x}", "default: before_script: stands at the top of the file too"],
    ["default: [x]\na: {script: x}", "default: a list is refused"],
    ["stages: build\na: {script: x}", 'stages: "build" is refused: must be a list of texts'],
    ["stages: [a]\nx:\n  script: x\n  stage: b", 'line 4: job "x": stage: "b" is refused: must be one of .pre, a, .post'],
    ["stages: [a]\nx: {script: x}", 'job "x": stage: "test" is refused'],
    ["a: {script: x, needs: b}", 'job "a": needs: "b" is refused: must be a list of job names'],
    ["a:\n  script: x\n  needs:\n    - b", 'line 4: job "a": needs: "b" is refused: the file has no job of this name'],
    ["a: {script: x, stage: build, needs: [b]}\nb: {script: x}", 'needs: "b" is refused: it is of the later stage "test"'],
    ["a: {script: x}\nb: {script: x, needs: [a, a]}", 'needs: "a" is refused: it is needed twice'],
    ["a: {script: x, needs: [a]}", 'jobs wait for each other: "a" -> "a"'],
    ["a: {script: x, needs: [b]}\nb: {script: x, needs: [c]}\nc: {script: x, needs: [b]}", 'wait for each other: "b" -> "c" -> "b"'],
    ["a: {script: x, needs: [{pipeline: other}]}", "needs: pipeline: is not supported by the embedded GitLab"],
    ["a: {script: x, needs: [{optional: true}]}", "a need must name its job"],
    ["a: {script: x, needs: [{job: b, optional: 1}]}", "needs: optional: 1 is refused: must be true or false"],
    ["a: {script: x, tags: linux}", 'tags: "linux" is refused: must be a list'],
    ["a: {script: x, tags: [1]}", "tags: 1 is refused: must be text"],
    ["a: {script: x, when: never}", 'when: "never" is refused: must be on_success'],
    ["a: {script: x, when: delayed}", "start_in belongs to a job with when: delayed"],
    ["a: {script: x, start_in: 1 minute}", "start_in belongs to a job with when: delayed"],
    ["a: {script: x, when: never}", 'when: "never" is refused'],
    ["a: {script: x, retry: 5}", 'job "a": retry: 5 is refused: must be 0, 1 or 2'],
    ["a: {script: x, retry: {max: 1, when: [bad_luck]}}", 'retry: when: "bad_luck" is refused: must be one or several of always'],
    ["a: {script: x, retry: {max: 1, exit_codes: 3}}", "retry: exit_codes: is not supported"],
    ["a: {script: x, timeout: 3600}", "timeout: 3600 is refused: must be a duration as text"],
    ["a: {script: x, timeout: soon}", 'timeout: "soon" is refused'],
    ["a: {script: x, timeout: 1h and}", 'timeout: "1h and" is refused'],
    ["a: {script: x, timeout: 40 days}", "of at most 30 days"],
    ["a: {script: x, timeout: 5 constructor}", "is refused: must be a duration"],
    ["a: {script: x, allow_failure: 3}", "allow_failure: 3 is refused: must be true, false or a mapping"],
    ["a: {script: x, allow_failure: {exit_codes: [x]}}", "exit_codes must be a whole number from 0 to 255"],
    ["a: {script: x, allow_failure: {}}", "exit_codes must be a whole number"],
    ["a: {script: x, variables: [A]}", "variables: a list is refused: must be a mapping"],
    ["a: {script: x, variables: {A: [1]}}", "variables: A: a list is refused: must be text or a number"],
    ["a: {script: x, variables: {A: true}}", "variables: A: true is refused"],
    ["a: {script: x, variables: {1A: x}}", "variables: 1A: a variable's name has letters, digits and _"],
    ["a: {script: x, variables: {A: {value: x, expand: false}}}", "variables: A: expand: false is refused"],
    ["variables: {A: {what: x}}\na: {script: x}", "variables: A: what: is not a keyword of a variable"],
    ["a: {script: x, extends: .b}", 'extends: ".b" is refused: the file has no job of this name'],
    [".a: {extends: .b}\n.b: {extends: .a}\nx: {script: x, extends: .a}", 'extend each other in a circle: "x" -> ".a" -> ".b" -> ".a"'],
    ["a: {script: x, extends: {b: c}}", "extends: a mapping is refused: must be the name of a job"],
    ["? [a]\n: {script: x}", "a key must be text"],
    ["a: {script: x, <<: text}", "<< accepts a mapping"],
  ])("%j", (text, said) => {
    expect(refusal(text)).toContain(said);
  });

  test("too many tags, too many jobs and too long files are refused", () => {
    const tags = Array.from({ length: 51 }, (_, n) => `t${n}`);
    expect(refusal(`a: {script: x, tags: [${tags}]}`)).toContain("51 tags are refused: at most 50");
    const jobs = Array.from({ length: 501 }, (_, n) => `j${n}: {script: x}`);
    expect(refusal(jobs.join("\n"))).toContain("501 jobs are refused: at most 500");
    expect(refusal("#".repeat(1_048_577))).toContain("longer than 1048576 characters");
  });

  test("all problems are told at once, in the order of the file, each on its line", () => {
    const text = `
a:
  script: x
  retry: 9
  cache: {}
b:
  script: x
  stage: nowhere
`;
    expect(refusal(text).split("\n")).toEqual([
      expect.stringMatching(/^line 4: job "a": retry: 9 is refused/),
      expect.stringMatching(/^line 5: job "a": cache: is not supported/),
      expect.stringMatching(/^line 8: job "b": stage: "nowhere" is refused/),
    ]);
  });

  test("a hundred problems are told as fifty and a count", () => {
    const text = Array.from({ length: 100 }, (_, n) => `j${n}: {script: x, retry: 7}`).join("\n");
    const lines = refusal(text).split("\n");
    expect(lines).toHaveLength(51);
    expect(lines.at(-1)).toBe("and 50 more");
  });

  test("long values and line breaks do not break a message", () => {
    const message = refusal(`a: {script: x, when: "${"x".repeat(500)}\\n"}`);
    expect(message.split("\n")).toHaveLength(1);
    expect(message.length).toBeLessThan(250);
  });

  test("lists that grow without end by aliases are refused quickly", () => {
    const levels = Array.from({ length: 9 }, (_, n) => `.l${n + 1}: &l${n + 1} [${Array(20).fill(`*l${n}`)}]`);
    expect(refusal([".l0: &l0 [x, x]", ...levels, "a: {script: *l9}"].join("\n"))).toContain("at most 5000 commands");
    const empty = [".l0: &l0 []", ...levels, "a: {script: *l9}"].join("\n");
    expect(refusal(empty)).toContain("at most 5000 commands");
  });

  test("mappings that grow without end by extends are refused quickly", () => {
    const levels = Array.from({ length: 20 }, (_, n) => `.m${n + 1}: &m${n + 1} {a: *m${n}, b: *m${n}}`);
    const text = [".m0: &m0 {a: x}", ...levels, ".p: {variables: *m20}", "x: {script: x, extends: .p, variables: *m20}"].join("\n");
    expect(refusal(text)).toContain("becomes too large");
  });

  test("endless nesting is refused", () => {
    expect(refusal(`a: ${"[".repeat(20_000)}`)).not.toBe("");
    expect(refusal(`a: ${"[".repeat(200)}${"]".repeat(200)}`)).toContain("nested deeper than 100 levels");
  });
});
