import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildImage } from "../../reconciler/images/build-image.js";
import { ImageStore } from "../../reconciler/images/image-store.js";
import { runTool } from "../../reconciler/images/run-tool.js";
import { sharedStore } from "./images-world.fixture.js";

const limitMs = 120_000;
const bases = ["kernel-minimal", "shell"] as const;

/** Images as somebody would make them of ours, in a store of their own; the shared one is not written to. */
export interface ImageVariants {
  readonly store: ImageStore;
  /** Makes `name` of `shell`, with other files (all of them programs), and without some. */
  add(name: string, files: Readonly<Record<string, string>>, without?: readonly string[]): Promise<void>;
}

/** Copies what was built, or builds it, and makes variants of it; all of it lies in `directory`. */
export async function startVariants(directory: string): Promise<ImageVariants> {
  const built = sharedStore();
  const store = new ImageStore(join(directory, "variants"));
  mkdirSync(store.directory, { recursive: true });
  for (const name of bases) {
    if ((await built.find(name)) === undefined) await buildImage(name, { store: built, version: "0.0.0", say: () => undefined });
    await copy(built, name, store, name);
  }
  return {
    store,
    async add(name, files, without = []) {
      await copy(store, "shell", store, name);
      const tree = join(directory, `tree-${name}`);
      const place = (path: string, text: string) => {
        mkdirSync(dirname(join(tree, path)), { recursive: true });
        writeFileSync(join(tree, path), text, { mode: 0o755 });
      };
      for (const [path, text] of Object.entries(files)) place(path, text);
      for (const path of without) place(join(dirname(path), `.wh.${path.slice(path.lastIndexOf("/") + 1)}`), "");
      await runTool("tar", ["-cf", `${tree}.tar`, "--owner=0", "--group=0", "-C", tree, "."], { limitMs });
      await runTool("umoci", ["raw", "add-layer", "--image", `${store.layout}:${name}`, `${tree}.tar`], { limitMs });
    },
  };
}

async function copy(from: ImageStore, name: string, to: ImageStore, as: string): Promise<void> {
  await runTool("skopeo", ["copy", "--quiet", `oci:${from.layout}:${name}`, `oci:${to.layout}:${as}`], { limitMs });
}
