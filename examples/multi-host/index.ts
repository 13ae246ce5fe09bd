import * as pulumi from "@pulumi/pulumi";
import { FlintlockHost, GitLabConnection, MicrovmImage, RunnerPool } from "firerunner";

interface Machine {
  /** `HOST:PORT` of flintlockd. */
  endpoint: string;
  vcpu: number;
  memoryMb: number;
  /** What its disks are: pools choose by it. */
  disk: "nvme" | "hdd";
}

const config = new pulumi.Config();

// Files on the reconciler's machine: what is in them never reaches Pulumi.
const hosts = config.requireObject<Machine[]>("hosts").map(
  ({ endpoint, vcpu, memoryMb, disk }, n) =>
    new FlintlockHost(`metal-${n}`, {
      endpoint,
      tls: { caFile: "/etc/firerunner/flintlock-ca.crt" },
      token: `file:/etc/firerunner/metal-${n}-token`,
      capacity: { vcpu, memoryMb, microvms: Math.floor(memoryMb / 2048) },
      labels: { disk },
      network: { mode: "static", subnet: `10.20.${n}.0/24`, gateway: `10.20.${n}.1`, nameservers: [`10.20.${n}.1`] },
    }),
);

const image = new MicrovmImage("shell", {
  kernel: { image: `registry.example.com/firerunner/kernel@sha256:${"a".repeat(64)}` },
  rootfs: { image: `registry.example.com/firerunner/shell@sha256:${"b".repeat(64)}` },
});

const gitlab = new GitLabConnection("gitlab", {
  name: "gitlab",
  url: config.require("gitlabUrl"),
  token: "file:/etc/firerunner/gitlab-token",
  scope: { instance: true },
  webhook: { secret: "file:/etc/firerunner/webhook-secret" },
});

// Removed before the hosts, so that their microVMs are not moved from one machine to the next.
const afterHosts = { dependsOn: hosts };
const shared = { connection: gitlab.name, image: image.name };

const ordinary = new RunnerPool(
  "ordinary",
  {
    ...shared,
    tags: ["linux"],
    runUntagged: true,
    sizes: { small: { vcpu: 1, memoryMb: 2048 }, medium: { vcpu: 2, memoryMb: 4096 } },
    size: "small",
    minIdle: 4,
    maxMicrovms: 60,
  },
  afterHosts,
);

const large = new RunnerPool(
  "large",
  {
    ...shared,
    tags: ["linux", "large"],
    sizes: { xlarge: { vcpu: 8, memoryMb: 16_384 } },
    size: "xlarge",
    maxMicrovms: 6,
    maxJobTimeoutS: 4 * 3600,
    priority: 10,
    placement: { strategy: "binpack", selector: { disk: "nvme" } },
  },
  afterHosts,
);

export const machines = hosts.map((host) => ({ name: host.name, reachable: host.reachable, why: host.unreachableReason }));
export const webhookPath = gitlab.webhookPath;
export const pools = [ordinary.name, large.name];
