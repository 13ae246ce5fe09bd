import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { stringify } from "yaml";
import { recipe } from "./recipes.js";

const lastStep = "/usr/local/lib/firerunner/cloud-start";
/** What an image without our agent is given, and where it lies in the guest. */
const brought = [
  { from: "agent/firerunner-agent", to: "/usr/local/bin/firerunner-agent", permissions: "0755" },
  { from: "agent/fr-http", to: "/usr/local/bin/fr-http", permissions: "0755" },
  { from: "rootfs/fr-guest", to: "/usr/local/bin/fr-guest", permissions: "0755" },
  { from: "agent/cloud-start", to: lastStep, permissions: "0755" },
  { from: "agent/firerunner-agent.service", to: "/etc/systemd/system/firerunner-agent.service", permissions: "0644" },
] as const;

/**
 * The `user-data` by which cloud-init brings the guest agent into an image that somebody else made, and starts it: the same
 * for every microVM, with nothing secret in it. It is packed: Firecracker's metadata holds 51,200 bytes in all. Throws
 * `FR-CONFIG` when a file of the agent's is missing in this installation.
 */
export function agentCloudConfig(): string {
  const files = brought.map(({ from, to, permissions }) => ({
    path: to,
    permissions,
    encoding: "gz+b64",
    content: gzipSync(readFileSync(recipe(from)), { level: 9 }).toString("base64"),
  }));
  const config = { write_files: files, runcmd: [[lastStep]] };
  return `#cloud-config\n${stringify(config, { lineWidth: 0 })}`;
}
