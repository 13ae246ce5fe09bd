import { defineCommand } from "citty";
import { parseVmmArguments } from "../../embedded/vmm/arguments.js";
import { runVmm } from "../../embedded/vmm/run-vmm.js";
import { recipe } from "../../images/recipes.js";
import type { Terminal } from "../terminal.js";

/** `firerunner dev vmm`: Firecracker's command line, for hosts without KVM. Options are read by Firecracker's own rules. */
export const vmmCommand = (terminal: Terminal) =>
  defineCommand({
    meta: {
      name: "firerunner dev vmm",
      description: "Run one microVM by QEMU, with Firecracker's command line and configuration file (a flintlockd's firecracker-bin)",
    },
    args: {
      id: { type: "string", required: true, valueHint: "id", description: "The microVM's id" },
      "config-file": { type: "string", required: true, valueHint: "path", description: "Its configuration, as Firecracker reads it" },
      metadata: { type: "string", valueHint: "path", description: "What the metadata service answers, as JSON" },
      "no-api": { type: "boolean", description: "Must be given: there is no API" },
      "boot-timer": { type: "boolean", description: "Accepted; nothing is measured" },
    },
    async run({ rawArgs }) {
      process.exitCode = await runVmm(parseVmmArguments(rawArgs), {
        env: terminal.env,
        once: (signal, listener) => process.once(signal, listener),
        metadataCommand: [process.execPath, recipe("vmm/fr-mmds.mjs")],
      });
    },
  });
