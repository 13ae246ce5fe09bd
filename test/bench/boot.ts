import { bootKey, bootText } from "../../reconciler/guest/boot-data.js";
import { cloudInitMetadata } from "../../reconciler/guest/cloud-init-metadata.js";
import { agentCloudConfig } from "../../reconciler/images/cloud-config.js";
import { type BootOf, bootOnce, processorMs } from "./boot/boot-once.js";
import { lacking, ownImages } from "./boot/images.js";
import { type Landing, startLanding } from "./boot/landing.js";
import { microvmArguments, pcArguments } from "./boot/machines.js";
import { stockDebian } from "./boot/stock-debian.js";
import type { Bench, Figure, RunOptions } from "./figure.js";

/** What one boot took, in ms since QEMU was started; stages are since the guest's kernel began, by its own clock. */
interface Boot {
  readonly claimMs: number;
  readonly readyMs: number;
  /** The processor time that QEMU had taken at the claim. */
  readonly claimProcessorMs: number;
  readonly stages: ReadonlyMap<string, number>;
}

/**
 * Our kernel and root file system against a Debian as it is, which is brought the same agent by cloud-init: both get the same
 * boot data from the same metadata service, claim at the same place, fetch a runner's configuration and start the same runner. A smoke run boots only ours: a stock Debian takes minutes.
 */
export const boot: Bench = {
  name: "boot",
  about: "from the start of QEMU to the claim, and to a runner that asks for a job; 1 vCPU, 1 GiB, the same accelerator",
  async run({ smoke }: RunOptions): Promise<readonly Figure[]> {
    const missing = lacking();
    if (missing !== undefined) {
      process.stderr.write(`boot is skipped: this machine lacks ${missing}\n`);
      return [];
    }
    const own = await ownImages();
    const landing = await startLanding();
    try {
      const metadata = { [bootKey]: bootText({ vm: "vm-one", nonce: "ab".repeat(32), url: landing.url }) };
      const disk = await own.disk("shell");
      const ours = await measure(landing, { disk, metadata, args: (files) => microvmArguments(own.kernel, files, {}) });
      const floorMs = await bootToTrue({
        disk,
        metadata,
        args: (files) => microvmArguments(own.kernel, files, { init: "/bin/true", panic: "-1" }),
      });
      const figures: readonly Figure[] = [
        ...figuresOf("kernel-minimal and shell", ours),
        { name: "kernel-minimal until its first process ends (init=/bin/true)", value: floorMs, unit: "ms", floor: true },
      ];
      if (smoke) return figures;
      const stock = await stockDebian(own);
      const theirs = await measure(landing, {
        disk: stock.disk,
        metadata: { ...metadata, ...cloudInitMetadata("vm-one", agentCloudConfig()) },
        args: (files) => pcArguments(stock, files),
      });
      return [
        ...figures,
        ...figuresOf("Debian's cloud kernel and cloud-init", theirs),
        { name: "times faster to the claim", value: theirs.claimMs / ours.claimMs, unit: "" },
        { name: "times less processor time to the claim", value: theirs.claimProcessorMs / ours.claimProcessorMs, unit: "" },
        { name: "times faster to a ready runner", value: theirs.readyMs / ours.readyMs, unit: "" },
      ];
    } finally {
      landing.stop();
    }
  },
};

async function measure(landing: Landing, of: BootOf): Promise<Boot> {
  const heard = landing.listen();
  let claimProcessorMs: number | undefined;
  const startedAt = await bootOnce(of, (machine) => {
    if (heard.claimedAt !== undefined) claimProcessorMs ??= processorMs(machine);
    return heard.readyAt !== undefined;
  });
  const since = (at: number | undefined) => (at ?? Number.NaN) - startedAt;
  return {
    claimMs: since(heard.claimedAt),
    readyMs: since(heard.readyAt),
    claimProcessorMs: claimProcessorMs ?? Number.NaN,
    stages: heard.stages,
  };
}

/** The first process ends at once, the kernel panics over that, and a panic ends the machine. */
async function bootToTrue(of: BootOf): Promise<number> {
  let endedAt = 0;
  const startedAt = await bootOnce(of, (machine) => {
    if (machine.exitCode === 0) endedAt = performance.now();
    return endedAt > 0;
  });
  return endedAt - startedAt;
}

function figuresOf(what: string, { claimMs, readyMs, claimProcessorMs, stages }: Boot): readonly Figure[] {
  return [
    ...["init", "network", "claim"].map(
      (stage): Figure => ({ name: `${what}: ${stage}, since its kernel began`, value: stages.get(stage) ?? Number.NaN, unit: "ms" }),
    ),
    { name: `${what}: QEMU → claim`, value: claimMs, unit: "ms" },
    { name: `${what}: QEMU's processor time until the claim`, value: claimProcessorMs, unit: "ms" },
    { name: `${what}: QEMU → runner asks for a job`, value: readyMs, unit: "ms" },
  ];
}
