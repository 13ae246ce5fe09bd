import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { findConsole } from "../../reconciler/cli/dev/consoles.js";
import { localReference } from "../../reconciler/embedded/host/guest-images.js";
import { until } from "../e2e/until.fixture.js";
import { type ImageVariants, startVariants } from "./image-variants.fixture.js";
import { describeImages, type ImagesWorld, startImagesWorld } from "./images-world.fixture.js";
import { machineState } from "./machine-state.fixture.js";

const isThere = "pgrep -f /usr/lib/firerunner/firerunner-agent";
const killAgent = `until ${isThere} >/dev/null; do sleep 1; done; kill -9 $(${isThere})`;
/** What becomes of a microVM whose job does this to it, and of the job when it comes to its own end. */
const deaths = {
  "kills the agent once": { script: `${killAgent}; sleep 2`, job: "success" },
  "kills the agent for good": {
    script: `for n in 1 2 3; do ${killAgent}; sleep 4; done; sleep 600`,
    code: "FR-GUEST-LOST: its runner ended while the forge says that its job runs: the agent was ended from outside three times",
    said: "the agent was ended from outside three times",
  },
  "fills the disk": { script: "dd if=/dev/zero of=/fill bs=1M count=16000", job: "failed" },
  "cuts the network": { script: "ip link set eth1 down; sleep 600", code: "FR-GUEST-LOST" },
  "lives in another century": { script: "date -s 2090-01-01; sleep 2; date -s 1990-01-01; sleep 2", job: "success" },
  "powers off": { script: "echo b >/proc/sysrq-trigger; sleep 600", code: "FR-GUEST-LOST" },
  panics: { script: "echo c >/proc/sysrq-trigger; sleep 600", code: "FR-GUEST-LOST" },
} as const;

/** Guests that never come to their claim: what is wrong with them, and what their console says of it. */
const stillbirths = {
  "a kernel that cannot mount its root": {
    rootfs: "shell",
    cmdline: { rootfstype: "squashfs" },
    said: /Kernel panic.*Unable to mount root fs/,
  },
  "an init that ends": { rootfs: "no-init", cmdline: {}, said: /Kernel panic.*Attempted to kill init/ },
  "an agent that ends at once": {
    rootfs: "no-agent",
    cmdline: {},
    said: /(the agent ended with 1[\s\S]*){3}/,
  },
} as const;

describeImages("guests that die", () => {
  let world: ImagesWorld | undefined;
  let variants: ImageVariants;
  const folder = mkdtempSync(join(tmpdir(), "firerunner-dying-"));
  beforeAll(async () => {
    variants = await startVariants(folder);
    const dies = "#!/bin/sh\nexit 1\n";
    // Here jobs run as root: they are to do the worst.
    await variants.add("root-jobs", {}, ["etc/firerunner/job-user"]);
    await variants.add("no-init", { "usr/lib/firerunner/init": dies });
    await variants.add("no-agent", { "usr/lib/firerunner/firerunner-agent": dies });
  }, 1_800_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(async () => {
    await world?.stop();
    world = undefined;
  });

  async function start(rootfs: string, bootTimeoutS: number, cmdline: Readonly<Record<string, string>> = {}): Promise<ImagesWorld> {
    const pool = { minIdle: 0, maxMicrovms: 2, onVmLoss: "cancel", bootTimeoutS } as const;
    return startImagesWorld({
      kernel: localReference("kernel-minimal"),
      rootfs: localReference(rootfs),
      pool,
      store: variants.store,
      cmdline,
    });
  }

  async function endIn(running: ImagesWorld): Promise<void> {
    await running.nothingLeft();
    const { directory, before } = running;
    await running.stop();
    world = undefined;
    expect(machineState(directory)).toEqual(before);
  }

  it.each(Object.entries(stillbirths))("%s: tried again, each ends in FR-VM-BOOT-TIMEOUT, and the console is kept", async (_, birth) => {
    const running = await start(birth.rootfs, 45, birth.cmdline);
    world = running;
    const { project, pipeline } = await running.push("stillborn", { ".gitlab-ci.yml": "waits:\n  script: [exit 0]\n" });
    const failures = () => running.events().filter(({ event }) => event === "MicrovmFailed");
    // The host may have been busy with the image while the first of them had its time.
    const told = () => failures().length >= 2 && failures().some(({ microvm = "" }) => birth.said.test(keptConsole(running, microvm)));
    await until("microVMs failed, and a console tells why", told, { deadlineMs: 600_000, everyMs: 500, tell: running.lastWords });
    for (const { message } of failures()) expect(message).toMatch(/^FR-VM-BOOT-TIMEOUT: no claim within 45 s: .*firerunner logs --console/);
    const [job] = await running.client.jobs(project.id, pipeline.id);
    expect(job?.status).toBe("pending");
    await running.client.cancelJob(project.id, job?.id ?? 0);
    await endIn(running);
  });

  it("each end in a reason code or in their job's own end, and in a clean fleet", async () => {
    const running = await start("root-jobs", 120);
    world = running;
    const jobs = Object.entries(deaths).map(([name, { script }]) => `${name}:\n  script:\n    - ${JSON.stringify(script)}\n`);
    const pushed = await running.push("deaths", { ".gitlab-ci.yml": jobs.join("") });
    const over = await running.jobsWhenOver(pushed);
    for (const [name, death] of Object.entries(deaths)) {
      const id = over.get(name)?.id ?? 0;
      const key = `embedded/${pushed.project.id}/${id}`;
      const said = running.events().filter(({ job, event }) => job === key && event === "JobStarted");
      const vm = /runs on (\S+)/.exec(said[0]?.message ?? "")?.[1] ?? "none";
      const failed = running.events().find(({ event, microvm }) => event === "MicrovmFailed" && microvm === vm);
      const subject = { kind: "microvm", name: vm };
      const words = running.world.service.store.events({ after: 0, limit: 1000, subject }).find(({ type }) => type === "GuestLastWords");
      if ("said" in death) expect(words?.message, name).toContain(death.said);
      if ("job" in death) expect(over.get(name)?.status, `${name}: ${await running.client.log(pushed.project.id, id)}`).toBe(death.job);
      else expect(failed?.message, `${name} on ${vm}: ${running.lastWords()}`).toMatch(new RegExp(`^${death.code}`));
    }
    await endIn(running);
  });
});

/** What is kept of the console of a microVM that is gone. */
function keptConsole(running: ImagesWorld, name: string): string {
  try {
    return readFileSync(findConsole({ name, microvm: undefined, host: undefined }, running.world.state).file, "utf8");
  } catch {
    return "";
  }
}
