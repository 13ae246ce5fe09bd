/** Builds the package into `dist`, or into the folder that is named: what `tsc` makes of it, and the service in one file. */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleService } from "./bundle-service.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const into = resolve(root, process.argv[2] ?? "dist");

const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", into], { stdio: "inherit" });
if (status === 0) await bundleService({ from: into, into });
else process.exitCode = status ?? 1;
