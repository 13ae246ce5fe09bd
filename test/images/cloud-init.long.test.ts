import { afterEach, expect, it } from "vitest";
import { localReference } from "../../reconciler/embedded/host/guest-images.js";
import { buildImage } from "../../reconciler/images/build-image.js";
import { checkImages } from "../../reconciler/images/check-image.js";
import { describeImages, type ImagesWorld, sharedStore, startImagesWorld } from "./images-world.fixture.js";

const pipeline = `
in a cloud image:
  script:
    - test "$(cat /proc/1/comm)" = systemd && echo "the first process is systemd"
    - cloud-init query ds.meta_data
    - echo "$(hostname) is the machine"
    - test -e /usr/lib/firerunner/firerunner-agent || echo "the image has no agent of its own"
    - 'curl -fsS "$CI_SERVER_URL/-/health" >/dev/null && echo "GitLab was reached"'
    - if curl -fsS -m 3 http://169.254.169.254/latest/firerunner-boot; then exit 9; else echo "the metadata service is shut"; fi
`;

describeImages("an image with cloud-init and nothing of ours", () => {
  let world: ImagesWorld | undefined;
  afterEach(async () => {
    await world?.stop();
    world = undefined;
  });

  it("is given the agent by user-data, and runs a job of GitLab's", async () => {
    const options = { store: sharedStore(), version: "0.0.0", say: () => undefined };
    await buildImage("kernel-minimal", options);
    if ((await options.store.find("cloud-init")) === undefined) await buildImage("cloud-init", options);
    const images = { kernel: "kernel-minimal", rootfs: "cloud-init", filename: "boot/vmlinux", arch: "amd64" } as const;
    expect(await checkImages(options.store, { ...images, bootstrap: "cloud-init" })).toEqual({ faults: [], notes: [] });

    const pool = { minIdle: 0, maxMicrovms: 1, bootTimeoutS: 900 } as const;
    world = await startImagesWorld({
      kernel: localReference("kernel-minimal"),
      rootfs: localReference("cloud-init"),
      bootstrap: "cloud-init",
      pool,
    });
    const pushed = await world.push("clouded", { ".gitlab-ci.yml": pipeline });
    const jobs = await world.jobsWhenOver(pushed);
    const job = jobs.get("in a cloud image");
    const log = await world.client.log(pushed.project.id, job?.id ?? 0);
    expect(job?.status, `${log}\n${world.lastWords()}`).toBe("success");
    const claimed = world.events().find(({ event }) => event === "MicrovmClaimed");
    expect(log).toContain(`${claimed?.microvm} is the machine`);
    for (const line of [
      "the first process is systemd",
      "instance-id",
      "the image has no agent of its own",
      "GitLab was reached",
      "the metadata service is shut",
    ]) {
      expect(log).toContain(line);
    }
    expect(claimed?.message).toMatch(/init .*network .*claim/s);
    await world.nothingLeft();
  });
});
