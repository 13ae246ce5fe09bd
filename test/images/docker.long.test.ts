import { afterEach, expect, it } from "vitest";
import { localReference } from "../../reconciler/embedded/host/guest-images.js";
import { buildImage } from "../../reconciler/images/build-image.js";
import { checkImages } from "../../reconciler/images/check-image.js";
import { describeImages, type ImagesWorld, sharedStore, startImagesWorld } from "./images-world.fixture.js";

// No registry is within reach: the image is made in the guest, of its own busybox.
const pipeline = `
containers:
  script:
    - docker info --format 'storage {{.Driver}}, cgroups {{.CgroupVersion}} by {{.CgroupDriver}}'
    - tar -ch -C / bin/busybox $(ldd /bin/busybox | grep -o '/lib[^ ]*' | cut -c2-) | docker import - tiny
    - docker run --rm tiny /bin/busybox echo "said in a container"
    - docker run --rm --memory 64m tiny /bin/busybox cat /sys/fs/cgroup/memory.max
    - docker network create between
    - docker run -d --name web --network between -p 8080:80 tiny /bin/busybox sh -c 'echo "from the container" >/index.html; exec /bin/busybox httpd -f -h /'
    - docker run --rm --network between tiny /bin/busybox wget -q -O - http://web/ | sed 's/^/by name /'
    - curl -fsS --retry 5 --retry-connrefused "http://$(hostname -I | cut -d' ' -f1):8080/" | sed 's/^/by port /'
    - printf 'FROM tiny\\nRUN ["/bin/busybox", "touch", "/built"]\\n' | docker build -q -t built -
    - docker run --rm built /bin/busybox ls /built
`;

describeImages("the image docker on the kernel container", () => {
  let world: ImagesWorld | undefined;
  afterEach(async () => {
    await world?.stop();
    world = undefined;
  });

  it("runs a job that builds and runs containers with limits, names and ports", async () => {
    const options = { store: sharedStore(), version: "0.0.0", say: () => undefined };
    await buildImage("kernel-container", options);
    if ((await options.store.find("docker")) === undefined) await buildImage("docker", options);
    const images = { kernel: "kernel-container", rootfs: "docker", filename: "boot/vmlinux", arch: "amd64", bootstrap: "agent" } as const;
    expect(await checkImages(options.store, images)).toEqual({ faults: [], notes: [] });

    const pool = { minIdle: 0, maxMicrovms: 1, bootTimeoutS: 900 } as const;
    world = await startImagesWorld({ kernel: localReference("kernel-container"), rootfs: localReference("docker"), pool });
    const pushed = await world.push("contained", { ".gitlab-ci.yml": pipeline });
    const job = (await world.jobsWhenOver(pushed)).get("containers");
    const log = await world.client.log(pushed.project.id, job?.id ?? 0);
    expect(job?.status, `${log}\n${world.lastWords()}`).toBe("success");
    for (const line of [
      "storage overlay2, cgroups 2 by systemd",
      "said in a container",
      "67108864",
      "by name from the container",
      "by port from the container",
      "/built",
    ]) {
      expect(log).toContain(line);
    }
    await world.nothingLeft();
  });
});
