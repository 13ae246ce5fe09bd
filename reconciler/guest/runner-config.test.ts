import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runnerConfigToml, tomlText } from "./runner-config.js";

describe("the runner's configuration", () => {
  it("is one runner for one job with bash", () => {
    expect(runnerConfigToml({ vm: "vm-a", url: "https://gitlab.example.com", runnerId: 42, token: "glrt-abc" }).split("\n")).toEqual([
      "concurrent = 1",
      'log_level = "info"',
      "",
      "[[runners]]",
      '  name = "vm-a"',
      '  url = "https://gitlab.example.com"',
      "  id = 42",
      '  token = "glrt-abc"',
      '  executor = "shell"',
      '  shell = "bash"',
      "",
    ]);
  });

  it("runs jobs in containers of the guest's own engine where the pool says so", () => {
    const docker = { image: "registry.example/build:1" };
    const toml = runnerConfigToml({ vm: "vm-a", url: "https://gitlab.example.com", runnerId: 42, token: "glrt-abc", docker });
    expect(toml.split("\n").slice(7)).toEqual([
      '  token = "glrt-abc"',
      '  executor = "docker"',
      "  [runners.docker]",
      '    image = "registry.example/build:1"',
      "    privileged = false",
      '    pull_policy = ["if-not-present"]',
      '    allowed_pull_policies = ["always", "if-not-present"]',
      '    volumes = ["/cache"]',
      "",
    ]);
  });

  it("keeps any text within its quotes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const written = tomlText(text);
        // What TOML forbids in a basic string: control characters, and quotes or backslashes that are not escaped.
        const escaped = /^"(?:[^"\\]|\\[btnfr"\\]|\\u[0-9a-f]{4})*"$/u.test(written);
        const control = [...written].some((character) => character < " " || character === "\u007f");
        return escaped && !control && JSON.parse(written) === text;
      }),
    );
    expect(tomlText('a"b\\c\n\u007f')).toBe('"a\\"b\\\\c\\n\\u007f"');
  });
});
