import { FireRunnerError } from "../../model/errors.js";
import { parseVmmArguments } from "./arguments.js";
import { runVmm } from "./run-vmm.js";

// What the embedded host starts for every microVM: `firerunner dev vmm` without the command around it. The command that
// answers for the metadata service comes in a variable, because this room knows no recipes.
try {
  process.exitCode = await runVmm(parseVmmArguments(process.argv.slice(2)), {
    env: process.env,
    once: (signal, listener) => process.once(signal, listener),
    metadataCommand: [process.execPath, process.env.FIRERUNNER_METADATA_PROGRAM ?? "fr-mmds.mjs"],
  });
} catch (caught) {
  process.stderr.write(`${FireRunnerError.from(caught).message}\n`);
  process.exitCode = 2;
}
