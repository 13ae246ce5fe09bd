import * as pulumi from "@pulumi/pulumi";
import type { MockResourceArgs } from "@pulumi/pulumi/runtime/index.js";
import { beforeAll, beforeEach, describe, expect, expectTypeOf, it } from "vitest";
import type { ConnectionInput } from "../../reconciler/model/connection.js";
import type { FleetInput } from "../../reconciler/model/fleet.js";
import type { HostInput } from "../../reconciler/model/host.js";
import type { ImageInput } from "../../reconciler/model/image.js";
import type { PoolInput } from "../../reconciler/model/pool.js";
import {
  FlintlockHost,
  type FlintlockHostArgs,
  GitLabConnection,
  type GitLabConnectionArgs,
  MicrovmImage,
  type MicrovmImageArgs,
  Reconciler,
  RunnerFleet,
  type RunnerFleetArgs,
  RunnerPool,
  type RunnerPoolArgs,
} from "../index.js";
import { loaderOf } from "../resource-types.js";
import { autoName } from "./auto-name.js";

let registered: MockResourceArgs[] = [];

beforeAll(async () => {
  await pulumi.runtime.setMocks(
    {
      newResource(args) {
        registered.push(args);
        const generation = args.type.startsWith("pulumi-nodejs:dynamic/")
          ? { generation: 1, name: args.inputs.name ?? args.inputs.autoName }
          : {};
        return { id: `${args.name}-id`, state: { ...args.inputs, ...generation } };
      },
      call: ({ inputs }) => inputs,
    },
    "ci",
    "dev",
  );
});
beforeEach(() => {
  registered = [];
});

const resolved = <T>(output: pulumi.Output<T>): Promise<T> => new Promise((resolve) => output.apply(resolve));
const settled = async (resource: pulumi.CustomResource): Promise<void> => {
  await resolved(resource.id);
};

const hostArgs: FlintlockHostArgs = {
  endpoint: "10.0.0.1:9090",
  capacity: { vcpu: 8, memoryMb: 16_384, microvms: 8 },
  network: { mode: "dhcp" },
};
const imageArgs: MicrovmImageArgs = { kernel: { image: "r.example/k:1" }, rootfs: { image: "r.example/r:1" } };
const connectionArgs: GitLabConnectionArgs = { url: "https://gitlab.example.com", token: "env:T", scope: { instance: true } };
const poolArgs: RunnerPoolArgs = {
  connection: "gitlab",
  image: "base",
  tags: ["vm"],
  sizes: { small: { vcpu: 1, memoryMb: 1024 } },
  size: "small",
  maxMicrovms: 2,
};

describe("a program", () => {
  it("registers each resource with its loader, its manager and an automatic name", async () => {
    const host = new FlintlockHost("Rack 1", hostArgs);
    expect(await resolved(host.generation)).toBe(1);
    expect(registered).toHaveLength(1);
    expect(registered[0]).toMatchObject({
      type: "pulumi-nodejs:dynamic/firerunner:FlintlockHost",
      name: "Rack 1",
      inputs: {
        ...hostArgs,
        autoName: autoName("ci/dev", "Rack 1"),
        managedBy: "pulumi:ci/dev/Rack 1",
        __provider: loaderOf("FlintlockHost"),
      },
    });
  });

  it("passes outputs on, and knows its own resources", async () => {
    const image = new MicrovmImage("image", imageArgs);
    const pool = new RunnerPool("pool", { ...poolArgs, image: image.name });
    await settled(pool);
    expect(registered.find(({ name }) => name === "pool")?.inputs.image).toBe(autoName("ci/dev", "image"));
    expect([
      RunnerPool.isInstance(pool),
      MicrovmImage.isInstance(pool),
      RunnerPool.isInstance({}),
      GitLabConnection.isInstance(undefined),
    ]).toEqual([true, false, false, false]);
  });

  it("keeps what is marked as a secret one", async () => {
    const connection = new GitLabConnection("secret", { ...connectionArgs, token: pulumi.secret("env:T") });
    await settled(connection);
    expect(registered[0]?.inputs.token).toMatchObject({ value: "env:T" });
  });

  it("finds a resource that is declared elsewhere without declaring anything", async () => {
    await settled(RunnerPool.get("seen", "small"));
    expect(registered[0]).toMatchObject({ id: "small", inputs: { __provider: loaderOf("RunnerPool") } });
    expect(registered[0]?.inputs).not.toHaveProperty("managedBy");
  });

  it("speaks with several reconcilers, and their tokens are secrets", async () => {
    const reconciler = new Reconciler("eu", { endpoint: "https://eu.example:8472", token: "a-token" });
    await settled(new MicrovmImage("image-eu", imageArgs, { provider: reconciler }));
    const provider = registered.find(({ type }) => type === "pulumi:providers:pulumi-nodejs");
    expect(provider?.inputs).toMatchObject({ "firerunner:endpoint": "https://eu.example:8472", "firerunner:token": { value: "a-token" } });
    expect(registered.find(({ name }) => name === "image-eu")?.provider).toContain("::eu::");
  });
});

describe("a fleet", () => {
  const fleet: RunnerFleetArgs = {
    hosts: [{ ...hostArgs, name: "rack-1" }],
    images: [{ ...imageArgs, name: "base" }],
    connections: [{ kind: "gitlab", ...connectionArgs, name: "gitlab" }],
    pools: [
      { ...poolArgs, name: "first" },
      { ...poolArgs, name: "second", image: "elsewhere" },
    ],
    resolveTags: false,
  };

  it("is its records under their own names, in the order of the pools", async () => {
    const made = new RunnerFleet("fleet", fleet);
    await Promise.all([...made.hosts, ...made.pools].map(settled));
    const names = registered.map(({ name }) => name);
    expect(names).toContain("fleet-rack-1");
    expect(names.indexOf("fleet-first")).toBeLessThan(names.indexOf("fleet-second"));
    const inputs = (name: string) => registered.find((one) => one.name === name)?.inputs;
    expect(inputs("fleet-base")).toMatchObject({ name: "base", resolveTags: false });
    expect(inputs("fleet-first")).toMatchObject({ image: "base", connection: "gitlab" });
    expect(inputs("fleet-second")).toMatchObject({ image: "elsewhere" });
  });
});

describe("a fleet is refused", () => {
  const network = { mode: "static", subnet: "10.20.0.0/24", gateway: "10.20.0.1" } as const;
  it.each<[string, object, string]>([
    ["with a list that does not exist", { host: [] }, "host: is not a known field"],
    ["with something else than a list", { pools: {} }, "pools: is refused: must be a list"],
    ["with a record without a name", { images: [imageArgs] }, "images[0].name: is missing"],
    [
      "with one name twice",
      {
        images: [
          { ...imageArgs, name: "a" },
          { ...imageArgs, name: "a" },
        ],
      },
      'images[1].name: "a" is refused',
    ],
    [
      "with networks that share addresses",
      { hosts: ["a", "b"].map((name) => ({ ...hostArgs, network, name, onDelete: "forget" })) },
      'hosts[1].network.subnet: "10.20.0.0/24" is refused: it overlaps',
    ],
  ])("%s", (_what, args, message) => {
    expect(() => new RunnerFleet("refused", args)).toThrow(message);
  });
});

describe("an automatic name", () => {
  it("is a name that the reconciler takes, the same in every run and another one in every stack", () => {
    expect(autoName("ci/dev", "Rack 1")).toMatch(/^rack-1-[0-9a-f]{7}$/);
    expect(autoName("ci/dev", "Rack 1")).toBe(autoName("ci/dev", "Rack 1"));
    expect(autoName("ci/prod", "Rack 1")).not.toBe(autoName("ci/dev", "Rack 1"));
    for (const name of ["x".repeat(80), "---", "Größe", `${"a".repeat(31)}--b`])
      expect(autoName("s", name)).toMatch(/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/);
  });
});

it("what a program writes is what the admin API takes", () => {
  type Beside = "timeouts" | "name";
  type Plain<Args, Own extends keyof Args> = pulumi.Unwrap<Omit<Args, Own | Beside>>;
  expectTypeOf<keyof Plain<FlintlockHostArgs, "onDelete">>().toEqualTypeOf<Exclude<keyof HostInput, "name">>();
  expectTypeOf<keyof Plain<MicrovmImageArgs, "resolveTags">>().toEqualTypeOf<Exclude<keyof ImageInput, "name">>();
  expectTypeOf<keyof Plain<GitLabConnectionArgs, never>>().toEqualTypeOf<Exclude<keyof ConnectionInput, "name" | "kind">>();
  expectTypeOf<keyof Plain<RunnerPoolArgs, never>>().toEqualTypeOf<Exclude<keyof PoolInput, "name">>();
  expectTypeOf<ImageInput>().toExtend<NonNullable<RunnerFleetArgs["images"]>[number]>();
  expectTypeOf<PoolInput>().toExtend<NonNullable<RunnerFleetArgs["pools"]>[number]>();
  expectTypeOf<FleetInput>().toExtend<RunnerFleetArgs>();
});
