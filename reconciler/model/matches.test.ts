import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { connectionSchema } from "./connection.js";
import { type JobTraits, matches, type RunnerTraits } from "./matches.js";
import { poolSchema } from "./pool.js";
import { classOf, classTraits, sizesInOrder, whySizeRefused } from "./runner-class.js";

const runner: RunnerTraits = { tags: ["linux", "small"], runUntagged: false, scope: { instance: true }, protectedOnly: false };
const job: JobTraits = { projectId: 7, tags: ["linux"], protected: false };

describe("a runner takes a job", () => {
  it.each<[string, Partial<RunnerTraits>, Partial<JobTraits>, boolean]>([
    ["whose tags are among its own", {}, {}, true],
    ["with all of its tags", {}, { tags: ["small", "linux"] }, true],
    ["but not with one tag more", {}, { tags: ["linux", "gpu"] }, false],
    ["whose tag differs in case: not", {}, { tags: ["Linux"] }, false],
    ["without tags only when it runs untagged ones", {}, { tags: [] }, false],
    ["without tags when it runs untagged ones", { runUntagged: true }, { tags: [] }, true],
    ["of its project", { scope: { projectId: 7 } }, {}, true],
    ["but not of another project", { scope: { projectId: 8 } }, {}, false],
    ["of its group", { scope: { groupId: 3 } }, { groupIds: [1, 3] }, true],
    ["but not of another group", { scope: { groupId: 3 } }, { groupIds: [1] }, false],
    ["whose groups are not known", { scope: { groupId: 3 } }, {}, true],
    ["of a protected ref when it takes only those", { protectedOnly: true }, { protected: true }, true],
    ["but none of another ref then", { protectedOnly: true }, {}, false],
    ["nor any of which that is not known", { protectedOnly: true }, { protected: "unknown" }, false],
  ])("%s", (_, traits, of, expected) => {
    expect(matches({ ...runner, ...traits }, { ...job, ...of })).toBe(expected);
  });
});

const tags = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"));

test("a runner with more tags takes whatever one with fewer takes", () => {
  fc.assert(
    fc.property(tags, tags, tags, fc.boolean(), (few, more, wanted, runUntagged) => {
      const traits = { ...runner, runUntagged };
      const asks = { ...job, tags: wanted };
      return !matches({ ...traits, tags: few }, asks) || matches({ ...traits, tags: [...few, ...more] }, asks);
    }),
  );
});

describe("a pool's classes", () => {
  const connection = connectionSchema.parse({
    name: "gitlab",
    kind: "gitlab",
    url: "https://gitlab.example.com/",
    token: "env:TOKEN",
    scope: { projectId: 7 },
  });
  const size = (vcpu: number) => ({ vcpu, memoryMb: 1024 });
  const pool = poolSchema.parse({
    name: "small",
    connection: "gitlab",
    image: "shell",
    tags: ["linux"],
    runUntagged: true,
    sizes: { large: size(4), small: size(1) },
    size: "small",
    maxMicrovms: 2,
  });

  it("are tried from the default size on", () => {
    expect(sizesInOrder(pool)).toEqual(["small", "large"]);
  });

  it.each<[readonly string[], string | undefined]>([
    [["linux"], "small"],
    [["linux", "large"], "large"],
    [["large"], "large"],
    [[], "small"],
    [["linux", "gpu"], undefined],
    [["small", "large"], undefined],
  ])("a job with the tags %j gets the size %s", (wanted, expected) => {
    expect(classOf(pool, connection, { projectId: 7, tags: wanted, protected: false })?.size).toBe(expected);
  });

  it.each<[readonly string[], string | undefined]>([
    [["linux", "2cpu-4gb"], "2cpu-4gb"],
    [["linux", "1cpu-8gb"], "1cpu-8gb"],
    [["linux", "large"], "large"],
    [["linux", "16cpu-4gb"], undefined],
    [["linux", "2cpu-9gb"], undefined],
    [["linux", "3cpu-4gb"], undefined],
    [["linux", "2cpu-4gb", "4cpu-4gb"], undefined],
    [["linux", "02cpu-4gb"], undefined],
    [["gpu", "2cpu-4gb"], undefined],
  ])("of a pool with limits a job with the tags %j gets the size %s", (wanted, expected) => {
    const limited = { ...pool, limits: { vcpu: 8, memoryMb: 8192 } };
    expect(classOf(limited, connection, { projectId: 7, tags: wanted, protected: false })?.size).toBe(expected);
  });

  it.each<[readonly string[], string | undefined, boolean]>([
    [["linux", "16cpu-4gb"], 'pool "p" does not give "16cpu-4gb": its limits are 8 vCPU and 8192 MiB', true],
    [["linux", "3cpu-4gb"], 'pool "p" does not give "3cpu-4gb": vcpu must be 1 or an even number', true],
    [["linux", "2cpu-4gb"], 'pool "p" does not give "2cpu-4gb": it has no limits, and so only the sizes that it names', false],
    [["gpu", "16cpu-4gb"], undefined, true],
    [["linux", "2cpu-4gb"], undefined, true],
  ])("a job with the tags %j is told %s", (wanted, expected, hasLimits) => {
    const named = { ...pool, name: "p", ...(hasLimits ? { limits: { vcpu: 8, memoryMb: 8192 } } : {}) };
    expect(whySizeRefused(named, connection, { projectId: 7, tags: wanted, protected: false })).toBe(expected);
  });

  it("only the default size takes untagged jobs", () => {
    expect(["small", "large"].map((name) => classTraits(pool, name, connection).runUntagged)).toEqual([true, false]);
  });

  it("a connection's address loses its last slash", () => {
    expect(connection.url).toBe("https://gitlab.example.com");
  });
});
