import { afterEach, expect, it } from "vitest";
import { buildImage } from "../../reconciler/images/build-image.js";
import { describeImages, type ImagesWorld, sharedStore, startImagesWorld } from "./images-world.fixture.js";
import { machineState } from "./machine-state.fixture.js";

const killAgent = "kill -9 $(pgrep -f /usr/lib/firerunner/firerunner-agent)";
/** What becomes of a microVM whose job does this to it, and of the job when it comes to its own end. */
const deaths = {
  "kills the agent once": { script: `${killAgent}; sleep 2`, job: "success" },
  "kills the agent for good": { script: `for n in 1 2 3 4; do ${killAgent}; sleep 3; done; sleep 600`, code: "FR-GUEST-LOST" },
  "fills the disk": { script: "dd if=/dev/zero of=/fill bs=1M count=16000", job: "failed" },
  "cuts the network": { script: "ip link set eth1 down; sleep 600", code: "FR-GUEST-LOST" },
  "lives in another century": { script: "date -s 2090-01-01; sleep 2; date -s 1990-01-01; sleep 2", job: "success" },
  "powers off": { script: "echo b >/proc/sysrq-trigger; sleep 600", code: "FR-GUEST-LOST" },
  panics: { script: "echo c >/proc/sysrq-trigger; sleep 600", code: "FR-GUEST-LOST" },
} as const;

const local = (name: string) => `firerunner.local/${name}:built`;

describeImages("guests that die", () => {
  let world: ImagesWorld | undefined;
  afterEach(async () => {
    await world?.stop();
    world = undefined;
  });

  async function start(): Promise<ImagesWorld> {
    const options = { store: sharedStore(), version: "0.0.0", say: () => undefined };
    await buildImage("kernel-minimal", options);
    if ((await options.store.find("shell")) === undefined) await buildImage("shell", options);
    const pool = { minIdle: 0, maxMicrovms: 2, onVmLoss: "cancel", bootTimeoutS: 120 } as const;
    return startImagesWorld({ kernel: local("kernel-minimal"), rootfs: local("shell"), pool });
  }

  it("each end in a reason code or in their job's own end, and in a clean fleet", async () => {
    const running = await start();
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
      if ("job" in death) expect(over.get(name)?.status, `${name}: ${await running.client.log(pushed.project.id, id)}`).toBe(death.job);
      else expect(failed?.message, `${name} on ${vm}: ${running.lastWords()}`).toMatch(new RegExp(`^${death.code}`));
    }
    await running.nothingLeft();
    const { directory, before } = running;
    await running.stop();
    world = undefined;
    expect(machineState(directory)).toEqual(before);
  });
});
