import * as pulumi from "@pulumi/pulumi";
import { RunnerFleet, type RunnerFleetArgs } from "firerunner";

const config = new pulumi.Config();
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

const platform = new RunnerFleet("platform", {
  hosts: config.requireObject<NonNullable<RunnerFleetArgs["hosts"]>>("hosts"),
  images: [
    {
      name: "shell",
      kernel: { image: `registry.example.com/firerunner/kernel@${digest("a")}` },
      rootfs: { image: config.require("rootfs") },
    },
  ],
  connections: [
    {
      name: "gitlab",
      url: config.require("gitlabUrl"),
      token: "file:/etc/firerunner/gitlab-token",
      scope: { instance: true },
      webhook: { secret: "file:/etc/firerunner/webhook-secret" },
    },
  ],
});

/** What the pools of teams are made of. */
export const image = platform.images[0]?.name;
export const connection = platform.connections[0]?.name;
export const unreachable = pulumi
  .all(platform.hosts.map((host) => pulumi.all([host.name, host.reachable])))
  .apply((hosts) => hosts.flatMap(([name, reachable]) => (reachable ? [] : [name])));
