import { execFileSync } from "node:child_process";

/** A network namespace with a bridge, as a host has one, and this process's place on that bridge. */
export interface HostNetwork {
  /** What goes before a command that is to run within. */
  readonly within: readonly string[];
  readonly bridge: string;
  /** `10.201.3.0/24`, the network of the guests. */
  readonly subnet: string;
  /** This process's address on it: the guests' gateway. */
  readonly own: string;
  /** The host's address on it. */
  readonly host: string;
  /** Runs a command within and returns what it wrote. */
  run(...command: readonly string[]): string;
  /** The network devices within. */
  devices(): readonly string[];
  remove(): void;
}

/** Makes it; of this machine's own network it takes no more than one end of a pair of devices. */
export function makeHostNetwork(): HostNetwork {
  // Of its own for each process, so that two runs do not meet.
  const prefix = `10.${200 + (process.pid % 50)}.${Math.floor(process.pid / 50) % 250}`;
  const namespace = `firerunner-flintlockd-${process.pid}`;
  const [own, host] = [`${prefix}.1`, `${prefix}.2`];
  const outside = `frfl${process.pid}`;
  const bridge = "flbr0";
  const ip = (...args: readonly string[]) => execFileSync("ip", args, { stdio: "pipe" }).toString();
  const within = ["ip", "netns", "exec", namespace];
  const inside = (...args: readonly string[]) => ip("-n", namespace, ...args);
  const remove = () => {
    for (const args of [
      ["link", "del", outside],
      ["netns", "del", namespace],
    ]) {
      try {
        ip(...args);
      } catch {
        // It was not made.
      }
    }
  };
  try {
    ip("netns", "add", namespace);
    inside("link", "set", "lo", "up");
    inside("link", "add", bridge, "type", "bridge");
    inside("address", "add", `${host}/24`, "dev", bridge);
    inside("link", "set", bridge, "up");
    ip("link", "add", outside, "type", "veth", "peer", "name", "uplink", "netns", namespace);
    inside("link", "set", "uplink", "master", bridge, "up");
    ip("address", "add", `${own}/24`, "dev", outside);
    ip("link", "set", outside, "up");
  } catch (caught) {
    remove();
    throw caught;
  }
  const [program = "ip", ...first] = within;
  return {
    within,
    bridge,
    subnet: `${prefix}.0/24`,
    own,
    host,
    run: (...command) => execFileSync(program, [...first, ...command], { stdio: "pipe", timeout: 300_000 }).toString(),
    devices: () =>
      inside("-brief", "link")
        .split("\n")
        .flatMap((line) => line.split(/[\s@]/)[0] || []),
    remove,
  };
}
