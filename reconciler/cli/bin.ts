#!/usr/bin/env node
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

// Where the package was built, a service finds all of its own code in one file: as modules its 250 files take a quarter of a start.
const service = fileURLToPath(new URL("service.cjs", import.meta.url));
if (process.argv[2] === "serve" && existsSync(service)) createRequire(import.meta.url)(service);
else void import("./run-process.js");
