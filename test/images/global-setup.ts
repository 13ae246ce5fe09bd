import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { debianKernelSource } from "../../reconciler/images/build-kernel.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Why images can be neither built nor booted here; undefined when they can. */
    imagesMissing: string | undefined;
    /** Where `npm run setup` builds images: kernels are found there by the hash of all that goes into them. */
    imagesDirectory: string;
    /** Where what was unpacked of images is kept for the tests of this run: that takes longer than a boot. */
    unpackedImages: string;
  }
}

const programs = ["qemu-system-x86_64", "qemu-img", "mmdebstrap", "skopeo", "umoci", "docker-registry", "mke2fs", "make", "gcc"];

/** Looks once whether this machine has what the tests need; with CI=true it must. */
export default function setUp(vitest: TestProject): () => void {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const missing = programs.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
  if (!existsSync(debianKernelSource)) missing.push(debianKernelSource);
  if (process.getuid?.() !== 0) missing.push("root");
  const reason = missing.length === 0 ? undefined : `missing: ${missing.join(", ")} (on Debian as root: npm run setup)`;
  if (reason !== undefined) {
    if (process.env.CI === "true") throw new Error(`test/images cannot run: ${reason}`);
    process.stderr.write(`test/images is skipped: ${reason}\n`);
  }
  vitest.provide("imagesMissing", reason);
  vitest.provide("imagesDirectory", fileURLToPath(new URL("../../.cache/images", import.meta.url)));
  const unpacked = mkdtempSync(join(tmpdir(), "firerunner-unpacked-"));
  vitest.provide("unpackedImages", unpacked);
  return () => rmSync(unpacked, { recursive: true, force: true });
}
