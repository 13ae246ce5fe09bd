/**
 * Builds the Pulumi CLI and its language host for Node.js from their Go modules into the ignored cache, when no recent
 * Pulumi is installed. Without Go it says what is missing and how to get it, and that is no failure: everything but the
 * suite `pulumi` works without. A build that fails is one.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { whyNoGo } from "./go-toolchain.js";
import { builtFolder, builtVersion, findPulumi, launcherSource } from "./pulumi-cli.js";

interface Component {
  readonly name: string;
  /** The folder of its go.mod below `scripts/pulumi-cli`. */
  readonly module: string;
  readonly package: string;
  readonly flags: readonly string[];
}

const versionVariable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";
const components: readonly Component[] = [
  {
    // Its newer home is a module that the proxy does not serve; this one speaks the same protocol.
    name: "pulumi-language-nodejs",
    module: "language-nodejs",
    package: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
    flags: ["-ldflags", `-s -w -X ${versionVariable}=v3.68.0`],
  },
  {
    name: "pulumi",
    module: "cli",
    package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    flags: ["-tags", "osusergo,grpcnotrace", "-ldflags", `-s -w -X ${versionVariable}=v${builtVersion}`],
  },
];

const modules = fileURLToPath(new URL("pulumi-cli", import.meta.url));
const deadlineMs = 30 * 60_000;

function build({ name, module, package: path, flags }: Component, folder: string): boolean {
  console.log(`setup: building ${name} from its Go module`);
  const args = ["build", "-mod=readonly", "-trimpath", "-buildvcs=false", ...flags, "-o", join(folder, name), path];
  const env = { ...process.env, CGO_ENABLED: "0" };
  return spawnSync("go", args, { cwd: join(modules, module), env, stdio: "inherit", timeout: deadlineMs }).status === 0;
}

/** Whether everything that can be here is here. */
function setUp(): boolean {
  const found = findPulumi();
  if (found.kind === "found") {
    console.log(`setup: pulumi ${found.version} in ${found.folder}`);
    return true;
  }
  const missing = whyNoGo(join(modules, "cli"), process.env);
  if (missing !== undefined) {
    console.error(`setup: the Pulumi CLI is left out, and with it the suite \`npm run test:pulumi\`; ${missing}`);
    return true;
  }
  const began = performance.now();
  // Complete or absent: a build that was interrupted leaves nothing that looks finished.
  const unfinished = `${builtFolder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    if (!components.every((component) => build(component, unfinished))) {
      console.error("setup: building the Pulumi CLI failed; what `go` said is above");
      return false;
    }
    copyFileSync(launcherSource, join(unfinished, basename(launcherSource)));
    rmSync(builtFolder, { recursive: true, force: true });
    mkdirSync(dirname(builtFolder), { recursive: true });
    renameSync(unfinished, builtFolder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  console.log(`setup: pulumi ${builtVersion} built in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  return true;
}

process.exitCode = setUp() ? 0 : 1;
