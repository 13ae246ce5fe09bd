import { afterAll, beforeAll, expect, it } from "vitest";
import { type FleetWorld, startFleetWorld } from "./fleet-world.fixture.js";
import { leaks } from "./leaks.fixture.js";
import { createStack, describePulumi } from "./stack.fixture.js";

describePulumi("several reconcilers in one program", () => {
  const worlds: FleetWorld[] = [];
  beforeAll(async () => {
    for (let n = 0; n < 2; n += 1) worlds.push(await startFleetWorld());
  });
  afterAll(async () => {
    await Promise.all(worlds.map((world) => world.stop()));
  });

  it("each resource goes to its own, and no token stands in the state", async () => {
    const reconcilers = worlds.map(
      ({ endpoint }, index) =>
        `new firerunner.Reconciler("reconciler-${index}", { endpoint: "${endpoint}", token: process.env.TOKEN_${index} }),`,
    );
    const program = `
const reconcilers = [${reconcilers.join("\n")}];
reconcilers.forEach((provider, index) => {
  new firerunner.MicrovmImage("image-" + index, {
    name: "image-" + index,
    kernel: { image: "registry.invalid/kernel@sha256:${"a".repeat(64)}" },
    rootfs: { image: "registry.invalid/shell@sha256:${"b".repeat(64)}" },
  }, { provider });
});
`;
    const env = Object.fromEntries(worlds.map(({ token }, index) => [`TOKEN_${index}`, token]));
    const stack = await createStack("reconcilers", { program, env });
    const run = await stack.up();
    for (const [index, world] of worlds.entries()) {
      expect((await world.records("images")).map(({ spec }) => spec.name)).toEqual([`image-${index}`]);
    }
    expect((await stack.up()).steps).toEqual([]);
    const texts = { ...stack.everythingKept(), output: run.output, log: worlds.map((world) => world.log()).join("\n") };
    const tokens = worlds.map(({ token }) => token);
    expect(leaks(texts, tokens)).toEqual([]);
    // Nothing of the program runs in a destroy: the state alone says where each resource is.
    await stack.destroy({ env: { TOKEN_0: "", TOKEN_1: "" } });
    for (const world of worlds) expect(await world.declared()).toBe(0);
  });
});
