#!/usr/bin/env node
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

// Where the package was built, a service finds all of its own code in one file: loading it as 250 takes a third of a start.
const service = fileURLToPath(new URL("service.cjs", import.meta.url));
if (process.argv[2] === "serve" && existsSync(service)) createRequire(import.meta.url)(service);
else void import("./run-process.js");
