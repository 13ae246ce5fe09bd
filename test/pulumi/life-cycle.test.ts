import { afterAll, beforeAll, expect, it } from "vitest";
import { declaredSchemas } from "../../reconciler/model/declared.js";
import { type FleetWorld, startFleetWorld } from "./fleet-world.fixture.js";
import { leaks } from "./leaks.fixture.js";
import { createStack, describePulumi, type Run, type Stack } from "./stack.fixture.js";

/** What is changed in place, one input per resource; the resource is called after the input. */
const changedInPlace = {
  FlintlockHost: ["tls", "token", "capacity", "labels", "network", "onDelete", "timeouts"],
  MicrovmImage: ["kernel", "rootfs", "bootstrap", "arch", "timeouts"],
  GitLabConnection: ["url", "token", "scope", "webhook", "maxRequestsPerMinute", "presenceRunners", "timeouts"],
  RunnerPool: [
    "connection",
    "image",
    "tags",
    "runUntagged",
    "accessLevel",
    "projectIds",
    "sizes",
    "size",
    "limits",
    "minIdle",
    "idleTimeS",
    "scaleFactor",
    "scaleFactorLimit",
    "idlePolicies",
    "maxMicrovms",
    "maxMicrovmsPerProject",
    "maxJobTimeoutS",
    "bootTimeoutS",
    "createTries",
    "onVmLoss",
    "executor",
    "docker",
    "priority",
    "placement",
    "timeouts",
  ],
} as const;

/** What cannot change in place. */
const replaced = { FlintlockHost: ["name", "endpoint"], MicrovmImage: ["name"], GitLabConnection: ["name"], RunnerPool: ["name"] } as const;

const kinds = { FlintlockHost: "host", MicrovmImage: "image", GitLabConnection: "connection", RunnerPool: "pool" } as const;

const all = (of: Readonly<Record<string, readonly string[]>>): readonly string[] =>
  Object.entries(of).flatMap(([type, inputs]) => inputs.map((input) => `${type}.${input}`));

/** One resource of each type for each of its inputs, each with everything set; `changed` says in which one that input differs. */
const program = (world: FleetWorld, changed: boolean): string => `
const inputs = ${JSON.stringify({ ...changedInPlace })};
const replaced = ${JSON.stringify(replaced)};
const changed = ${JSON.stringify(changed)};
const closed = (port) => "127.0.0.1:" + port;
const digest = (digit) => "@sha256:" + digit.repeat(64);
const base = {
  FlintlockHost: (n) => ({
    endpoint: closed(1), tls: { insecure: true }, token: "file:${world.directory}/host-token", labels: { zone: "a" },
    capacity: { vcpu: 4, memoryMb: 4096, microvms: 4 }, onDelete: "forget", timeouts: { createS: 50 },
    network: { mode: "static", subnet: "10.90." + n + ".0/24", gateway: "10.90." + n + ".1" },
  }),
  MicrovmImage: () => ({
    kernel: { image: "registry.invalid/kernel" + digest("a"), filename: "vmlinux", cmdline: { quiet: "1" } }, arch: "amd64",
    rootfs: { image: "registry.invalid/rootfs" + digest("b") }, bootstrap: "agent", timeouts: { createS: 50 },
  }),
  GitLabConnection: () => ({
    url: "${world.gitlab.url}", token: "${world.secrets.tokenRef}", scope: { instance: true },
    webhook: { secret: "${world.secrets.webhookRef}" }, maxRequestsPerMinute: 6000, presenceRunners: true, timeouts: { createS: 50 },
  }),
  RunnerPool: () => ({
    connection: connections[0].name, image: images[0].name, tags: ["never"], runUntagged: false,
    sizes: { small: { vcpu: 1, memoryMb: 1024 }, large: { vcpu: 2, memoryMb: 2048 } }, size: "small", limits: { vcpu: 4, memoryMb: 4096 }, minIdle: 0, idleTimeS: 60,
    accessLevel: "not_protected", projectIds: [1], scaleFactor: 0, scaleFactorLimit: 0, idlePolicies: [], maxMicrovmsPerProject: 1,
    onVmLoss: "report", executor: "docker", docker: { image: "alpine" },
    maxMicrovms: 2, maxJobTimeoutS: 600, bootTimeoutS: 60, createTries: 2, priority: 1, placement: { strategy: "spread", selector: { zone: "x" } },
    timeouts: { createS: 50 },
  }),
};
const other = {
  FlintlockHost: {
    tls: { caFile: "/nowhere.pem" }, token: "env:HOST_TOKEN", labels: { zone: "b" }, onDelete: "drain", timeouts: { createS: 51 },
    capacity: { vcpu: 8, memoryMb: 4096, microvms: 4 }, network: { mode: "dhcp" }, endpoint: closed(2), name: "host-by-another-name",
  },
  MicrovmImage: {
    kernel: { image: "registry.invalid/kernel" + digest("c") }, rootfs: { image: "registry.invalid/rootfs" + digest("d") },
    bootstrap: "cloud-init", arch: "arm64", timeouts: { createS: 51 }, name: "image-by-another-name",
  },
  GitLabConnection: {
    url: "${world.gitlab.url.replace("127.0.0.1", "localhost")}", token: "env:GITLAB_TOKEN", scope: { projectId: 1 },
    webhook: {}, maxRequestsPerMinute: 7000, presenceRunners: false, timeouts: { createS: 51 }, name: "connection-by-another-name",
  },
  RunnerPool: () => ({
    connection: connections[1].name, image: images[1].name, tags: ["never", "ever"], runUntagged: true,
    sizes: { small: { vcpu: 1, memoryMb: 2048 }, large: { vcpu: 2, memoryMb: 2048 } }, size: "large", limits: { vcpu: 8, memoryMb: 4096 }, minIdle: 1, idleTimeS: 61,
    accessLevel: "ref_protected", projectIds: [1, 2], scaleFactor: 0.5, scaleFactorLimit: 1, maxMicrovmsPerProject: 2,
    idlePolicies: [{ periods: ["* 8-18 * * 1-5"], timezone: "Europe/Berlin", minIdle: 1 }], onVmLoss: "cancel", executor: "shell", docker: { image: "debian" },
    maxMicrovms: 3, maxJobTimeoutS: 601, bootTimeoutS: 61, createTries: 3, priority: 2, placement: { strategy: "binpack" },
    timeouts: { createS: 51 }, name: "pool-by-another-name",
  }),
};
const images = [];
const connections = [];
let n = 0;
for (const type of ["FlintlockHost", "MicrovmImage", "GitLabConnection", "RunnerPool"]) {
  for (const input of [...inputs[type], ...replaced[type]]) {
    n += 1;
    const differs = typeof other[type] === "function" ? other[type]() : other[type];
    const args = { ...base[type](n), ...(changed ? { [input]: differs[input] } : {}) };
    const made = new firerunner[type](type + "." + input, args);
    if (type === "MicrovmImage") images.push(made);
    if (type === "GitLabConnection") connections.push(made);
  }
}
exports.count = n;
exports.firstPool = connections[0].name;
`;

/** By name of the resource: what was done, and to what of it. */
const done = ({ steps }: Run, op: string): readonly string[] =>
  steps
    .filter((step) => step.op === op)
    .map(({ name }) => name)
    .toSorted();

describePulumi("the life of resources", () => {
  let world: FleetWorld;
  let stack: Stack;
  const outputs: string[] = [];
  const kept = (run: Run): Run => {
    outputs.push(run.output);
    return run;
  };

  beforeAll(async () => {
    world = await startFleetWorld();
    stack = await createStack("life", {
      program: program(world, false),
      ...world.config,
    });
  });
  afterAll(async () => {
    await world?.stop();
  });

  const names = [...all(changedInPlace), ...all(replaced)].toSorted();

  it("no input is left out here", () => {
    for (const type of ["FlintlockHost", "MicrovmImage", "GitLabConnection", "RunnerPool"] as const) {
      const fields = Object.keys(declaredSchemas[kinds[type]].shape).filter((field) => field !== "kind");
      expect([...changedInPlace[type], ...replaced[type]]).toEqual(expect.arrayContaining(fields));
    }
  });

  it("a preview shows everything and makes nothing", async () => {
    const run = kept(await stack.preview());
    expect(done(run, "create")).toEqual(names);
    expect(await world.declared()).toBe(0);
  });

  it("up makes all of them at once", async () => {
    const run = kept(await stack.up());
    expect(done(run, "create")).toEqual(names);
    expect(await world.declared()).toBe(names.length);
  });

  it("a second up finds no difference", async () => {
    const run = kept(await stack.up());
    expect(run.steps).toEqual([]);
    expect(run.changes).toEqual({ same: names.length + 1 });
  });

  it("a refresh finds no difference", async () => {
    const run = kept(await stack.refresh());
    expect(run.steps).toEqual([]);
    expect(run.changes).toEqual({ same: names.length + 1 });
  });

  it("every input changes in place or replaces, as documented", async () => {
    stack.write(program(world, true));
    const run = kept(await stack.up());
    expect(done(run, "update")).toEqual(all(changedInPlace).toSorted());
    expect(done(run, "replace")).toEqual(all(replaced).toSorted());
    for (const { op, name, diffs } of run.steps) {
      if (op === "update" || op === "replace") expect({ name, diffs }).toEqual({ name, diffs: [name.slice(name.indexOf(".") + 1)] });
    }
    expect(await world.declared()).toBe(names.length);
    expect((await world.records("pools")).map(({ spec }) => spec.name)).toContain("pool-by-another-name");
    expect((await stack.up()).steps).toEqual([]);
  });

  it("a refresh shows what changed behind Pulumi's back, and the next up mends it", async () => {
    const [pool] = (await world.records("pools")).filter(({ spec }) => spec.name.startsWith("runnerpool-priority"));
    if (pool === undefined) throw new Error("there is no pool for the priority");
    await world.put("pools", pool.spec.name, { ...pool.spec, idleTimeS: 999 });
    const [host] = (await world.records("hosts")).filter(({ spec }) => spec.name.startsWith("flintlockhost-labels"));
    if (host === undefined) throw new Error("there is no host for the labels");
    await world.remove("hosts", host.spec.name);

    const refreshed = kept(await stack.refresh());
    expect(refreshed.changes).toMatchObject({ update: 1, delete: 1 });
    const mended = kept(await stack.up());
    expect(done(mended, "update")).toEqual(["RunnerPool.priority"]);
    expect(done(mended, "create")).toEqual(["FlintlockHost.labels"]);
    expect((await world.record("pools", pool.spec.name))?.spec).toEqual(pool.spec);
    expect((await world.record("hosts", host.spec.name))?.spec).toEqual(host.spec);
  });

  it("destroy leaves nothing", async () => {
    kept(await stack.destroy());
    expect(await world.declared()).toBe(0);
    expect(stack.resources()).toEqual([]);
  });

  it("no secret stands in the state, its history, the output or the log", () => {
    const texts = { ...stack.everythingKept(), output: outputs.join("\n"), log: world.log() };
    expect(leaks(texts, [world.token, world.gitlab.token, world.secrets.webhook])).toEqual([]);
  });
});
