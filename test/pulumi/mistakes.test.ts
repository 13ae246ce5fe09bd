import { expect, it } from "vitest";
import { createStack, describePulumi } from "./stack.fixture.js";

describePulumi("mistakes in a program", () => {
  it("are all found at preview, without a reconciler: each with its path, its value and what is accepted", async () => {
    const program = `
new firerunner.RunnerPool("pool", {
  connection: "gitlab", image: "Not a name", tags: ["a"],
  sizes: { small: { vcpu: 3, memoryMb: 1024 } }, size: "small", maxMicrovms: -1, idle: 3,
});
`;
    const stack = await createStack("mistakes", { program });
    const { output } = await stack.preview({ expect: "fails" });
    expect(output).toMatch(/image.*"Not a name".*must be lower-case letters/);
    expect(output).toMatch(/sizes\.small\.vcpu.*3.*must be 1 or an even number/);
    expect(output).toMatch(/maxMicrovms.*-1.*must be above 0/);
    expect(output).toMatch(/idle/);
    expect(output).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m);
  });
});
