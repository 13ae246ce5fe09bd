import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildImage } from "../../reconciler/images/build-image.js";
import { checkImages } from "../../reconciler/images/check-image.js";
import { pushImage } from "../../reconciler/images/push-image.js";
import { describeImages, type ImagesWorld, sharedStore, startImagesWorld } from "./images-world.fixture.js";
import { machineState } from "./machine-state.fixture.js";
import { type Registry, startRegistry } from "./registry.fixture.js";

const pipeline = `
stages: [run]
writes and reads:
  stage: run
  script:
    - uname -sr
    - echo "written in the guest" > note.txt
    - cat note.txt
    - test "$(cat /proc/1/comm)" = init && echo "the first process is our init"
    - 'curl -fsS "$CI_SERVER_URL/-/health" >/dev/null && echo "GitLab was reached"'
    - if ip link show eth0 | grep -q UP; then exit 9; else echo "the metadata service is shut"; fi
fails:
  stage: run
  allow_failure: true
  script: [exit 7]
`;

describeImages("images from nothing to a job", () => {
  let folder = "";
  let registry: Registry;
  let world: ImagesWorld | undefined;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "firerunner-registry-"));
    registry = await startRegistry(folder);
  });
  afterAll(async () => {
    await world?.stop();
    await registry.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("kernel and shell are built, fit each other, are pushed, booted, run a job of GitLab's each, and leave nothing", async () => {
    const store = sharedStore();
    const said: string[] = [];
    const options = { store, version: "0.0.0", say: (line: string) => said.push(line) };
    const kernel = await buildImage("kernel-minimal", options);
    const shell = await buildImage("shell", options);
    expect(kernel.sizeBytes).toBeLessThan(6_000_000);
    expect(shell.sizeBytes).toBeLessThan(120_000_000);
    expect(shell.labels).toMatchObject({ "firerunner.flavour": "shell", "firerunner.runner": "embedded" });
    expect(said.join("\n")).toContain("no gitlab-runner was given");
    expect(readFileSync(store.sbomFile("shell"), "utf8")).toContain("pkg:deb/debian/git@");
    const checked = { kernel: "kernel-minimal", rootfs: "shell", filename: "boot/vmlinux", arch: "amd64", bootstrap: "agent" } as const;
    expect(await checkImages(store, checked)).toEqual({ faults: [], notes: [] });

    const pushed = {
      kernel: await pushImage(store, "kernel-minimal", `${registry.address}/firerunner/kernel:6.1`),
      rootfs: await pushImage(store, "shell", `${registry.address}/firerunner/shell:1`),
    };
    expect(pushed.rootfs).toBe(`${registry.address}/firerunner/shell@${shell.digest}`);

    world = await startImagesWorld(pushed);
    const { directory, client, lastWords, before } = world;
    const ran = await world.push("booted", { ".gitlab-ci.yml": pipeline });
    const jobs = await world.jobsWhenOver(ran);
    const logOf = (name: string) => client.log(ran.project.id, jobs.get(name)?.id ?? 0);
    const log = await logOf("writes and reads");
    expect(jobs.get("writes and reads")?.status, `${log}\n${lastWords()}`).toBe("success");
    for (const line of [
      "Linux 6.1.",
      "written in the guest",
      "the first process is our init",
      "GitLab was reached",
      "the metadata service is shut",
    ]) {
      expect(log).toContain(line);
    }
    expect(jobs.get("fails")?.status, lastWords()).toBe("failed");
    expect(await logOf("fails")).toContain("exit status 7");

    await world.nothingLeft();
    await world.stop();
    world = undefined;
    expect(machineState(directory)).toEqual(before);
    expect(existsSync(directory)).toBe(false);
  });
});
