import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { findConsole } from "../../reconciler/cli/dev/consoles.js";
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
    - bash attack.sh
    - bash identity.sh
fails:
  stage: run
  allow_failure: true
  script: [bash identity.sh, exit 7]
`;

/** What a job does that wants more than its own: each must be refused. Written so that it goes on whatever fails. */
const attack = `
try() { if "\${@:2}" >/dev/null 2>&1; then echo "REACHED: $1"; else echo "shut: $1"; fi; }
opens() { exec 3<"$1"; }
runner=$(pgrep -f runner/bin.js) agent=$(pgrep -of firerunner-agent)
kill -0 "$$" && test -d "/proc/$runner" && test -d "/proc/$agent" && echo "the runner and the agent are there"
try "the folder of the runner's token and config" ls /run/firerunner/runner
try "the secret of the session" cat /run/firerunner/session-secret /run/firerunner/get.headers
for pid in $runner $agent 1; do
  try "the environment of $pid" opens "/proc/$pid/environ"
  try "the memory of $pid" opens "/proc/$pid/mem"
  try "the files of $pid" ls "/proc/$pid/fd"
  try "a signal to $pid" kill -0 "$pid"
done
sleep 60 & try "tracing even its own processes" opens "/proc/$!/mem"
try "the folder where the runner writes" touch "$CI_PROJECT_DIR.tmp/planted"
try "the agent's program" cp /bin/true /usr/lib/firerunner/firerunner-agent
try "the console" opens /dev/console
try "the disk" opens /dev/vda
try "a reset" opens /proc/sysrq-trigger
try "the interface of the metadata service" ip link set eth0 up
try "the metadata service" curl -fsS -m 5 http://169.254.169.254/latest/firerunner-boot
try "the metadata service from a network of its own" unshare -rn curl -fsS -m 5 http://169.254.169.254/latest/firerunner-boot
echo "ptrace_scope $(cat /proc/sys/kernel/yama/ptrace_scope), $(ip route get 169.254.169.254 2>&1 | tail -n 1)"
echo "as $(id -un) in $HOME: the attack is over"
kill %1
`;

/** What must be another in every microVM. */
const identity = `
random=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "identity: $(hostname) $(cat /etc/machine-id) $(cat /proc/sys/kernel/random/boot_id) $random"
echo "entropy of $(cat /sys/class/misc/hw_random/rng_current), $(dmesg | grep -c 'crng init done')"
`;

/** How a job's log names its machine: the runner's id for GitLab, then what identity.sh printed. */
function identityIn(log: string): readonly string[] {
  const system = /system ID: (r_\w{12})/.exec(log)?.[1] ?? "none";
  return [system, ...(/^identity: (.*)$/m.exec(log)?.[1] ?? "").split(" ")];
}

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
    const ran = await world.push("booted", { ".gitlab-ci.yml": pipeline, "attack.sh": attack, "identity.sh": identity });
    const jobs = await world.jobsWhenOver(ran);
    const logOf = (name: string) => client.log(ran.project.id, jobs.get(name)?.id ?? 0);
    const log = await logOf("writes and reads");
    expect(jobs.get("writes and reads")?.status, `${log}\n${lastWords()}`).toBe("success");
    for (const line of [
      "Linux 6.1.",
      "written in the guest",
      "the first process is our init",
      "GitLab was reached",
      "the runner and the agent are there",
      "ptrace_scope 2, RTNETLINK answers: No route to host",
      "as job in /home/job: the attack is over",
      "entropy of virtio_rng.0, 1",
    ]) {
      expect(log).toContain(line);
    }
    expect(log).not.toContain("REACHED");
    expect(jobs.get("fails")?.status, lastWords()).toBe("failed");
    const other = await logOf("fails");
    expect(other).toContain("exit status 7");
    const names = [log, other].map(identityIn);
    expect(names[0]).toHaveLength(5);
    for (const [index, name] of (names[0] ?? []).entries()) expect(names[1]?.[index]).not.toBe(name);

    const claims = world.events().filter(({ event }) => event === "MicrovmClaimed");
    for (const { message } of claims) {
      const [, tookMs, stages = ""] = /claimed after (\d+) ms \((.*?)\)/.exec(message) ?? [];
      expect(stages.replaceAll(/ \d+/g, ""), message).toBe("create, monitor, kernel, init, network, claim");
      expect(stages.split(", ").reduce((sum, stage) => sum + Number(stage.replace(/\D/g, "")), 0)).toBe(Number(tookMs));
    }
    await world.nothingLeft();
    // The consoles of microVMs that are gone are kept for whoever asks why.
    const kept = findConsole({ name: names[0]?.[1] ?? "", microvm: undefined, host: undefined }, world.world.state);
    expect(readFileSync(kept.file, "utf8")).toContain("firerunner-init: network after");
    await world.stop();
    world = undefined;
    expect(machineState(directory)).toEqual(before);
    expect(existsSync(directory)).toBe(false);
  });
});
