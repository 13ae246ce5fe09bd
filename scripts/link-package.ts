/**
 * Puts this package beside its own dependencies under its own name, so that the programs of this repository (`Pulumi.yaml`,
 * `examples`) find what was built as they would find it installed. Needs no install, and installs nothing.
 */
import { existsSync, lstatSync, symlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";

const modules = fileURLToPath(new URL("../node_modules", import.meta.url));
const link = `${modules}/firerunner`;

if (existsSync(modules) && lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync("..", link, "dir");
