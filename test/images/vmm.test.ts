import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, expect, inject, it } from "vitest";
import { GuestImages, localReference } from "../../reconciler/embedded/host/guest-images.js";
import { buildImage } from "../../reconciler/images/build-image.js";
import { until } from "../e2e/until.fixture.js";
import { describeImages, sharedStore } from "./images-world.fixture.js";

const recorded = JSON.parse(readFileSync(new URL("../fixtures/golden/flintlock-vmm-v0.11.0.json", import.meta.url), "utf8"));
const root = fileURLToPath(new URL("../..", import.meta.url));
const gateway = "10.9.0.1";
const port = 8471;

/** A reconciler that tells every guest to stop, and prints who asked for what. */
const reconciler = `
  const { createServer } = require("node:http");
  createServer((request, answer) => {
    console.log(request.socket.remoteAddress, request.method, request.url);
    request.resume().on("end", () => answer.end("action=stop\\n"));
  }).listen(${port}, "${gateway}");
`;

describeImages("the monitor with Firecracker's command line", () => {
  let folder = "";
  let namespace = "";
  const children: ChildProcess[] = [];
  beforeAll(async () => {
    const store = sharedStore();
    const options = { store, version: "0.0.0", say: () => undefined };
    for (const name of ["kernel-minimal", "shell"] as const) if ((await store.find(name)) === undefined) await buildImage(name, options);
  }, 1_800_000);
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    if (namespace !== "") ip("netns", "del", namespace);
    namespace = "";
    rmSync(folder, { recursive: true, force: true });
  });

  const ip = (...args: readonly string[]) => execFileSync("ip", args, { stdio: "pipe" });

  /** The network of a host: a bridge with the gateway's address, and the two taps that a flintlockd makes of a microVM. */
  function makeNetwork(taps: readonly [string, string]): void {
    namespace = `firerunner-${process.pid}`;
    ip("netns", "add", namespace);
    const within = (...args: readonly string[]) => ip("-n", namespace, ...args);
    within("link", "set", "lo", "up");
    within("link", "add", "flbr0", "type", "bridge");
    within("address", "add", `${gateway}/24`, "dev", "flbr0");
    within("link", "set", "flbr0", "up");
    for (const tap of taps) {
      within("tuntap", "add", tap, "mode", "tap");
      within("link", "set", tap, "up");
    }
    within("link", "set", taps[1], "master", "flbr0");
  }

  async function start(): Promise<{ readonly vmm: ChildProcess; readonly said: () => string; readonly heard: () => string }> {
    folder = mkdtempSync(join(tmpdir(), "firerunner-vmm-"));
    const images = new GuestImages({ directory: inject("unpackedImages"), layout: sharedStore().layout });
    const config = structuredClone(recorded["firecracker.cfg"]);
    config["boot-source"].kernel_image_path = await images.kernel(localReference("kernel-minimal"), "boot/vmlinux");
    // It is written to.
    const disk = join(folder, "root.ext4");
    execFileSync("cp", ["--reflink=auto", "--sparse=always", await images.disk(localReference("shell")), disk]);
    config.drives[0].path_on_host = disk;
    const [eth0, eth1] = config["network-interfaces"].map((each: { host_dev_name: string }) => each.host_dev_name);
    makeNetwork([eth0, eth1]);
    const file = (name: string, content: unknown) => {
      writeFileSync(join(folder, name), JSON.stringify(content));
      return join(folder, name);
    };
    const boot = `v=1\nvm=fr-small-1\nnonce=${"ab".repeat(32)}\nurl=http://${gateway}:${port}\n`;
    const latest = { ...recorded["metadata.json"].latest, "firerunner-boot": boot };
    // As a flintlockd v0.11 writes it.
    const args = ["--id", "01M84KPCSZC3AH3Q5HXYRYHNTX", "--boot-timer", "--no-api"];
    args.push("--config-file", file("firecracker.cfg", config), "--metadata", file("metadata.json", { latest }));
    const heard = run("node", "-e", reconciler);
    await until("the reconciler listens", () =>
      execFileSync("ip", ["netns", "exec", namespace, "ss", "-ltn"]).includes(`${gateway}:${port}`),
    );
    const monitor = run(process.execPath, "--import", "tsx", join(root, "reconciler/cli/bin.ts"), "dev", "vmm", ...args);
    return { vmm: monitor.child, said: monitor.output, heard: heard.output };
  }

  function run(...command: readonly string[]) {
    const env = { ...process.env, FIRERUNNER_ACCELERATOR: "tcg" };
    const child = spawn("ip", ["netns", "exec", namespace, ...command], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    children.push(child);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
    }
    return { child, output: () => text };
  }

  const qemus = () => readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && runsQemu(pid));

  function runsQemu(pid: string): boolean {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return command.includes("qemu-system") && command.includes(folder);
    } catch {
      // It has ended meanwhile.
      return false;
    }
  }

  it("boots what a flintlockd handed over, by its taps and bridge, to a claim from the guest's own address", async () => {
    const { vmm, said, heard } = await start();
    await until("the monitor ends", () => vmm.exitCode !== null, { deadlineMs: 240_000, tell: said });
    expect(vmm.exitCode, said()).toBe(0);
    expect(heard().trim().split("\n")).toEqual(["10.9.0.2 POST /guest/v1/claim", "10.9.0.2 POST /guest/v1/done"]);
  });

  it("leaves no QEMU behind when it is killed without a warning", async () => {
    const { vmm, said } = await start();
    await until("the guest boots", () => said().includes("firerunner-init: init"), { deadlineMs: 120_000, tell: said });
    expect(qemus()).toHaveLength(1);
    vmm.kill("SIGKILL");
    await until("its QEMU is gone", () => qemus().length === 0);
  });
});
