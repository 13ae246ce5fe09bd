import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { firecrackerDrivers } from "../../reconciler/cli/dev/vm-drivers.js";
import { localReference } from "../../reconciler/embedded/host/guest-images.js";
import { buildImage } from "../../reconciler/images/build-image.js";
import { firerunner } from "../e2e/child.fixture.js";
import { until } from "../e2e/until.fixture.js";
import { describeImages, type ImagesWorld, sharedStore, startImagesWorld } from "./images-world.fixture.js";
import { machineState } from "./machine-state.fixture.js";

/** What Firecracker would find: its own taps, and none of the machine's devices. */
const script = [
  "echo from $(ip -4 -brief address show eth1)",
  'curl -fsS "$CI_SERVER_URL/-/health" >/dev/null && echo "GitLab was reached"',
  "if timeout 5 curl -sS http://192.0.2.1/; then exit 9; fi",
];

describeImages("the driver for Firecracker's own binary, with the monitor of QEMU in its place", () => {
  let folder = "";
  let world: ImagesWorld | undefined;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "firerunner-firecracker-"));
  });
  afterAll(async () => {
    await world?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("runs a job in a microVM with taps and a network namespace of its own, which end with it", async () => {
    const options = { store: sharedStore(), version: "0.0.0", say: () => undefined };
    for (const name of ["kernel-minimal", "shell"] as const)
      if ((await options.store.find(name)) === undefined) await buildImage(name, options);
    const program = join(folder, "firecracker");
    const command = firerunner.map((word) => `'${word}'`).join(" ");
    writeFileSync(program, `#!/bin/sh\nexec ${command} dev vmm "$@"\n`, { mode: 0o755 });
    world = await startImagesWorld({
      kernel: localReference("kernel-minimal"),
      rootfs: localReference("shell"),
      pool: { minIdle: 0 },
      drivers: (given) => firecrackerDrivers(program, { ...given, cache: inject("unpackedImages") }),
    });
    const { directory, before, client, lastWords } = world;
    const pushed = await world.push("bridged", { ".gitlab-ci.yml": JSON.stringify({ bridged: { script } }) });
    const job = (await world.jobsWhenOver(pushed)).get("bridged");
    const log = await client.log(pushed.project.id, job?.id ?? 0);
    expect(job?.status, `${log}\n${lastWords()}`).toBe("success");
    expect(log).toMatch(/from eth1 +UP +10\.77\.[12]\.\d+\/24/);
    expect(log).toContain("GitLab was reached");
    await world.nothingLeft();
    await world.stop();
    world = undefined;
    const { processes, qemu, mounts } = machineState(directory);
    expect({ processes, qemu, mounts }).toEqual({ processes: before.processes, qemu: before.qemu, mounts: before.mounts });
    // The kernel takes a moment for a namespace that nobody uses any more.
    await until("no device of a microVM is left", () => !machineState(directory).devices.some((name) => /^fr[0-9a-z]{10}$/.test(name)));
  });
});
