import { accessSync, constants, readFileSync } from "node:fs";
import { FireRunnerError } from "../../model/errors.js";

/** How virtual CPUs run: on the processor itself, or translated. */
export type Accelerator = "kvm" | "tcg";

/** What a machine has for KVM: the flags of its processor, and whether this user may use the device. */
export interface KvmSigns {
  readonly cpuFlags: ReadonlySet<string>;
  readonly canOpen: boolean;
}

/**
 * KVM where the processor itself virtualises, else translation: a KVM that emulates what the processor lacks is slower than
 * that. `given` (auto, kvm or tcg) decides otherwise; `FR-CONFIG` for anything else.
 */
export function chooseAccelerator(given: string | undefined, signs: () => KvmSigns): Accelerator {
  if (given === "kvm" || given === "tcg") return given;
  if (given !== undefined && given !== "" && given !== "auto") {
    throw new FireRunnerError("FR-CONFIG", `FIRERUNNER_ACCELERATOR: "${given}" is refused: must be auto, kvm or tcg`);
  }
  const { cpuFlags, canOpen } = signs();
  return canOpen && (cpuFlags.has("vmx") || cpuFlags.has("svm")) ? "kvm" : "tcg";
}

/** Looks at this machine. */
export function findKvm(): KvmSigns {
  return { cpuFlags: readFlags(), canOpen: mayOpen("/dev/kvm") };
}

function readFlags(): ReadonlySet<string> {
  try {
    const line = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"));
    return new Set((line?.[1] ?? "").trim().split(" "));
  } catch {
    return new Set();
  }
}

function mayOpen(device: string): boolean {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
