import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { otherNodes } from "../../scripts/other-nodes.js";
import { type FleetWorld, startFleetWorld } from "./fleet-world.fixture.js";
import { createStack, describePulumi, ground, type Stack } from "./stack.fixture.js";

const body = `
const digest = "@sha256:" + "a".repeat(64);
const image = new MicrovmImage("shell", {
  kernel: { image: "registry.invalid/kernel" + digest },
  rootfs: { image: "registry.invalid/shell" + digest },
  arch: "amd64",
});
export const named = pulumi.interpolate\`called \${image.name}\`;
export const pinned = image.pinned.rootfs;
export const same = MicrovmImage.isInstance(image);
`;
const typescript = `import * as pulumi from "@pulumi/pulumi";\nimport { MicrovmImage } from "firerunner";\n${body}`;

describePulumi("the packed package in projects as people have them", () => {
  let world: FleetWorld;
  beforeAll(async () => {
    world = await startFleetWorld();
  });
  afterAll(async () => {
    await world?.stop();
  });

  const options = (folder: string) => ({
    folder,
    ...world.config,
  });

  async function upAndDown(stack: Stack): Promise<void> {
    await stack.up();
    expect(await stack.outputs()).toMatchObject({ named: expect.stringMatching(/^called shell-[0-9a-f]+$/), same: true });
    expect(await world.declared()).toBe(1);
    await stack.destroy();
    expect(await world.declared()).toBe(0);
  }

  it("the stock TypeScript template: commonjs, moduleResolution node", async () => {
    const { project } = ground();
    writeFileSync(join(project, "index.ts"), typescript);
    writeFileSync(join(project, "Pulumi.yaml"), "name: stock\nruntime: nodejs\n");
    const tsc = join(project, "node_modules", "typescript", "bin", "tsc");
    execFileSync(process.execPath, [tsc, "--noEmit", "-p", project], { stdio: ["ignore", "inherit", "inherit"], timeout: 120_000 });
    await upAndDown(await createStack("stock", options(project)));
  });

  it("a project of ES modules", async () => {
    const folder = join(ground().project, "esm");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "esm", type: "module", main: "index.js", private: true }));
    writeFileSync(join(folder, "index.js"), typescript);
    writeFileSync(join(folder, "Pulumi.yaml"), "name: esm\nruntime: { name: nodejs, options: { typescript: false } }\n");
    await upAndDown(await createStack("esm", options(folder)));
  });

  it("a project that pnpm installed", async () => {
    const { project, tarball } = ground();
    // Beside the shared project, not below it: what pnpm does not link must not be found in a folder above.
    const folder = join(project, "..", "pnpm");
    mkdirSync(folder, { recursive: true });
    const dependencies = { firerunner: `file:${tarball}`, "@pulumi/pulumi": "3.248.0" };
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "pnpm", main: "index.js", private: true, dependencies }));
    writeFileSync(join(folder, "index.js"), commonJsProgram);
    writeFileSync(join(folder, "Pulumi.yaml"), "name: pnpm\nruntime: { name: nodejs, options: { typescript: false } }\n");
    const args = ["--yes", "pnpm@9.15.9", "install", "--silent", "--prefer-offline", "--store-dir", join(project, "..", "pnpm-store")];
    execFileSync("npx", args, { cwd: folder, stdio: ["ignore", "inherit", "inherit"], timeout: 240_000 });
    await upAndDown(await createStack("pnpm", options(folder)));
  });

  it.each(otherNodes())("on Node $version", async ({ version, node }) => {
    const folder = join(ground().project, `node-${version}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "index.js"), commonJsProgram);
    writeFileSync(join(folder, "Pulumi.yaml"), `name: node\nruntime: { name: nodejs, options: { typescript: false } }\n`);
    const path = [dirname(node), ground().bin, process.env.PATH ?? ""].join(delimiter);
    await upAndDown(await createStack(`node-${version}`, { ...options(folder), env: { PATH: path } }));
  });
});

const commonJsProgram = `"use strict";
const pulumi = require("@pulumi/pulumi");
const { MicrovmImage } = require("firerunner");
${body.replaceAll(/^export const (\w+)/gm, "exports.$1")}`;
