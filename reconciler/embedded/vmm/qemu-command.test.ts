import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseOrRefuse } from "../../model/validation.js";
import { vmmConfigSchema } from "./config.js";
import { guestNetworks } from "./guest-network.js";
import { qemuArguments } from "./qemu-command.js";

const golden = JSON.parse(readFileSync(new URL("../../../test/fixtures/golden/flintlock-vmm-v0.11.0.json", import.meta.url), "utf8"));
const recorded = parseOrRefuse(vmmConfigSchema, golden["firecracker.cfg"], "configuration");

it("what a flintlockd handed to Firecracker becomes a QEMU microvm with the same kernel, disk, memory and interfaces", () => {
  const args = qemuArguments({
    config: recorded,
    accelerator: "tcg",
    formats: new Map([["root", "raw"]]),
    metadataCommand: ["/usr/bin/node", "/opt/a, b/fr-mmds.mjs", "/var/m.json", "V1"],
    beganAt: 1_700_000_000_000,
  });
  const after = (name: string) => args.flatMap((arg, index) => (arg === name ? [args[index + 1]] : []));
  expect(after("-accel")).toEqual(["tcg"]);
  expect(after("-smp")).toEqual(["2"]);
  expect(after("-m")).toEqual(["1024"]);
  expect(after("-kernel")).toEqual([recorded["boot-source"].kernel_image_path]);
  expect(after("-append")).toEqual([
    `${recorded["boot-source"].boot_args} root=/dev/vda rw reboot=t no_timer_check firerunner.monitor-began=1700000000000`,
  ]);
  expect(after("-drive")).toEqual([
    "id=drive-root,if=none,file=/dev/mapper/flintlock-thinpool-snap-18,format=raw,cache=unsafe,readonly=off",
  ]);
  expect(after("-netdev")).toEqual([
    "user,id=eth0,net=169.254.0.0/16,host=169.254.255.253,dns=169.254.255.252,restrict=on,ipv6=off," +
      "guestfwd=tcp:169.254.169.254:80-cmd:'/usr/bin/node' '/opt/a,, b/fr-mmds.mjs' '/var/m.json' 'V1'",
    "tap,id=eth1,ifname=fltap3e9fe63,script=no,downscript=no",
  ]);
  expect(after("-device")).toEqual([
    "virtio-blk-device,drive=drive-root",
    "virtio-net-device,netdev=eth0,mac=AA:FF:00:00:00:01",
    "virtio-net-device,netdev=eth1,mac=02:00:00:00:00:09",
    "virtio-rng-device",
  ]);
});

it("an interface for user networking gets the network that the guest is told", () => {
  const [eth0, eth1] = recorded["network-interfaces"];
  if (eth0 === undefined || eth1 === undefined) throw new Error("the recording has two interfaces");
  const config = { ...recorded, "network-interfaces": [eth0, { ...eth1, host_dev_name: "user" }] };
  const args = qemuArguments({ config, accelerator: "kvm", formats: new Map() });
  expect(args).toContain("user,id=eth1,net=10.9.0.0/24,host=10.9.0.1,dns=10.9.0.254,ipv6=off");
  expect(args.join(" ")).toContain("-accel kvm ");
  expect(args.join(" ")).not.toContain("no_timer_check");
  expect(args.join(" ")).not.toContain("guestfwd");
});

it("networks are read of the kernel arguments by MAC, and what cannot be read is none", () => {
  const networks = guestNetworks(recorded["boot-source"].boot_args);
  expect([...networks]).toEqual([["02:00:00:00:00:09", { subnet: "10.9.0.0/24", gateway: "10.9.0.1", spare: "10.9.0.254" }]]);
  for (const args of ["", "network-config=", "network-config=%%%", `network-config=${Buffer.from("a: [").toString("base64")}`]) {
    expect(guestNetworks(args).size).toBe(0);
  }
});
