import { join } from "node:path";
import { build, type Plugin } from "esbuild";

/** Where the one file is, in a folder of what was built. */
export const serviceBundle = join("reconciler", "cli", "service.cjs");

/**
 * Puts all of our own code that `firerunner serve` may need in one file, `service.cjs` beside the command that looks for it.
 * Packages stay outside. It is CommonJS because Node then loads their files as CommonJS too, which is faster than as modules. Its
 * source map leads to the files in `from`, which is a folder of what was built, or the sources; `into` is where it is put.
 */
export async function bundleService({ from, into }: { readonly from: string; readonly into: string }): Promise<void> {
  await build({
    entryPoints: [join(from, "reconciler", "cli", "run-process")],
    outfile: join(into, serviceBundle),
    bundle: true,
    packages: "external",
    platform: "node",
    format: "cjs",
    target: "node20.19",
    // What is loaded later is loaded in the same way.
    supported: { "dynamic-import": false },
    resolveExtensions: [".js", ".ts"],
    plugins: [otherCommandsOutside],
    // Files that are shipped are found from where the code is; the bundle is as deep in the package as what it is made of.
    define: { "import.meta.url": "here" },
    banner: { js: 'const here = require("node:url").pathToFileURL(__filename).href;' },
    sourcemap: "linked",
    sourcesContent: false,
    logLevel: "warning",
  });
}

/** The bundle is asked for one command alone. */
const otherCommandsOutside: Plugin = {
  name: "other commands outside",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\// }, ({ path, importer, kind }) => {
      if (kind !== "dynamic-import" || !/[\\/]root-command\.[jt]s$/.test(importer) || path === "./commands/serve.js") return undefined;
      return { path, external: true };
    });
  },
};
