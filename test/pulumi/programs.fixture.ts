import type { FleetWorld } from "./fleet-world.fixture.js";

/** A program that declares all hosts of a world, an image, its GitLab and one pool called `jobs`. */
export function wholeFleet(world: FleetWorld): string {
  const hosts = world.hosts.addresses.map(
    (endpoint, index) => `
const host${index} = new firerunner.FlintlockHost("host-${index}", {
  endpoint: "${endpoint}",
  tls: { insecure: true },
  capacity: { vcpu: 8, memoryMb: 8192, microvms: 8 },
  network: { mode: "static", subnet: "10.91.${index}.0/24", gateway: "10.91.${index}.1" },
});`,
  );
  return `${hosts.join("")}
const image = new firerunner.MicrovmImage("shell", {
  kernel: { image: "registry.invalid/kernel@sha256:${"a".repeat(64)}" },
  rootfs: { image: "registry.invalid/shell@sha256:${"b".repeat(64)}" },
});
const gitlab = new firerunner.GitLabConnection("gitlab", {
  name: "gitlab",
  url: "${world.gitlab.url}",
  token: "${world.secrets.tokenRef}",
  scope: { instance: true },
  webhook: { secret: "${world.secrets.webhookRef}" },
});
const pool = new firerunner.RunnerPool("jobs", {
  connection: gitlab.name,
  image: image.name,
  tags: ["firerunner"],
  runUntagged: true,
  sizes: { small: { vcpu: 1, memoryMb: 1024 } },
  size: "small",
  minIdle: 1,
  maxMicrovms: 4,
});
exports.pool = pool.name;
exports.webhookPath = gitlab.webhookPath;
exports.usable = gitlab.usable;
exports.reachable = [${world.hosts.addresses.map((_, index) => `host${index}.reachable`).join(", ")}];
`;
}

/** A program that declares so many images and nothing else: nothing beyond the reconciler is asked. */
export function images(count: number): string {
  return `
for (let n = 1; n <= ${count}; n += 1) {
  new firerunner.MicrovmImage("image-" + n, {
    kernel: { image: "registry.invalid/kernel@sha256:${"a".repeat(64)}" },
    rootfs: { image: "registry.invalid/shell@sha256:${"b".repeat(64)}" },
  });
}
`;
}
