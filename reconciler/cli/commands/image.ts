import { defineCommand } from "citty";
import { buildImage, imageName, imageNames } from "../../images/build-image.js";
import { checkImages } from "../../images/check-image.js";
import { architectures, ImageStore, imagesDirectory, type StoredImage } from "../../images/image-store.js";
import { pushImage, pushIndex } from "../../images/push-image.js";
import { FireRunnerError } from "../../model/errors.js";
import { outputArg, structured } from "../output/render.js";
import { table } from "../output/table.js";
import type { Terminal } from "../terminal.js";
import { untilAsked } from "../until-asked.js";
import { UsageError } from "../usage-error.js";
import { readVersion } from "../version.js";

const storeArg = {
  dir: { type: "string", valueHint: "path", description: "Where built images are kept (default: firerunner/images in the user's cache)" },
} as const;
const nameArg = { name: { type: "positional", required: true, description: `One of ${imageNames.join(", ")}` } } as const;

/** `firerunner image`: build, look at, check and push what microVMs boot. */
export const imageCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner image", description: "Build, inspect, check and push the kernels and root file systems of microVMs" },
    subCommands: {
      build: buildCommand(terminal),
      push: pushCommand(terminal),
      ls: listCommand(terminal),
      inspect: inspectCommand(terminal),
      check: checkCommand(terminal),
    },
  });

const storeOf = (dir: string | undefined, terminal: Terminal) => new ImageStore(dir ?? imagesDirectory(terminal.env));

const buildCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner image build", description: "Build a kernel or a root file system; the same inputs give the same digest" },
    args: {
      ...nameArg,
      mirror: { type: "string", valueHint: "url", description: "Debian's mirror for root file systems" },
      "gitlab-runner": {
        type: "string",
        valueHint: "path or url",
        description: "gitlab-runner's binary; without it the embedded runner is put in",
      },
      "gitlab-runner-sha256": { type: "string", valueHint: "hex", description: "What it must be" },
      arch: {
        type: "string",
        default: "amd64",
        valueHint: "arch",
        description: "A kernel's architecture: amd64 or arm64 (cross-compiled)",
      },
      "kernel-source": { type: "string", valueHint: "path", description: "A kernel's sources, as linux-source-6.1.tar.xz of Debian" },
      ...storeArg,
    },
    async run({ args }) {
      const { "gitlab-runner": from, "gitlab-runner-sha256": sha256, "kernel-source": kernelSource } = args;
      if ((from === undefined) !== (sha256 === undefined)) throw new UsageError("--gitlab-runner and --gitlab-runner-sha256 go together");
      const arch = architectures.find((each) => each === args.arch);
      if (arch === undefined) throw new UsageError(`--arch: "${args.arch}" is refused: must be ${architectures.join(" or ")}`);
      const { signal } = untilAsked();
      const image = await buildImage(imageName(args.name), {
        store: storeOf(args.dir, terminal),
        version: readVersion(),
        say: (line) => terminal.complain(line),
        signal,
        arch,
        ...(args.mirror === undefined ? {} : { mirror: args.mirror }),
        ...(kernelSource === undefined ? {} : { kernelSource }),
        ...(from === undefined || sha256 === undefined ? {} : { gitlabRunner: { from, sha256 } }),
      }).catch((caught: unknown) => {
        if (!signal.aborted) throw caught;
        terminal.complain("the build was ended; nothing of it is left");
        process.exitCode = 130;
      });
      if (image === undefined) return;
      terminal.print(`${image.name} ${image.digest} ${megabytes(image)}`);
    },
  });

const pushCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner image push", description: "Push a built image to a registry and print its reference by digest" },
    args: {
      ...nameArg,
      reference: { type: "positional", required: true, description: "Where to, such as registry.example/firerunner/shell:1" },
      index: { type: "boolean", default: false, description: "Push an index of all architectures that it was built for" },
      ...storeArg,
    },
    async run({ args }) {
      const push = args.index ? pushIndex : pushImage;
      terminal.print(await push(storeOf(args.dir, terminal), args.name, args.reference));
    },
  });

const listCommand = (terminal: Terminal) =>
  defineCommand({
    meta: { name: "firerunner image ls", description: "List the images that were built here" },
    args: { ...outputArg, ...storeArg },
    async run({ args }) {
      const images = await storeOf(args.dir, terminal).list();
      if (args.output === "json" || args.output === "yaml") return terminal.print(structured(images, args.output));
      const rows = images.map((image) => [image.name, image.arch, megabytes(image), image.digest]);
      terminal.print(images.length === 0 ? "no images were built here" : table(["NAME", "ARCH", "SIZE", "DIGEST"], rows, terminal.style));
    },
  });

const inspectCommand = (terminal: Terminal) =>
  defineCommand({
    meta: {
      name: "firerunner image inspect",
      description: "Show an image that was built here: digest, labels, where its bill of materials is",
    },
    args: { ...nameArg, ...outputArg, ...storeArg },
    async run({ args }) {
      const store = storeOf(args.dir, terminal);
      const image = await store.find(args.name);
      if (image === undefined) throw new FireRunnerError("FR-NOT-FOUND", `no image "${args.name}" was built in ${store.directory}`);
      const shown = { ...image, sbom: store.sbomFile(image.name) };
      terminal.print(structured(shown, args.output === "json" ? "json" : "yaml"));
    },
  });

const checkCommand = (terminal: Terminal) =>
  defineCommand({
    meta: {
      name: "firerunner image check",
      description: "Tell whether a kernel and a root file system would boot to a claim, without booting them",
    },
    args: {
      kernel: {
        type: "string",
        required: true,
        valueHint: "reference",
        description: "The kernel: a reference, or the name of one that was built here",
      },
      rootfs: { type: "string", required: true, valueHint: "reference", description: "The root file system, likewise" },
      filename: { type: "string", default: "boot/vmlinux", valueHint: "path", description: "The kernel's file in its image" },
      arch: { type: "string", default: "amd64", valueHint: "arch", description: "The hosts' architecture: amd64 or arm64" },
      bootstrap: {
        type: "string",
        default: "agent",
        valueHint: "how",
        description: "How the agent gets there: agent (in the image) or cloud-init",
      },
      ...storeArg,
    },
    async run({ args }) {
      const { arch, bootstrap, kernel, rootfs, filename } = args;
      if (arch !== "amd64" && arch !== "arm64") throw new UsageError(`--arch: "${arch}" is refused: must be amd64 or arm64`);
      if (bootstrap !== "agent" && bootstrap !== "cloud-init") {
        throw new UsageError(`--bootstrap: "${bootstrap}" is refused: must be agent or cloud-init`);
      }
      const { faults, notes } = await checkImages(storeOf(args.dir, terminal), { kernel, rootfs, filename, arch, bootstrap });
      for (const note of notes) terminal.complain(note);
      if (faults.length > 0) throw new FireRunnerError("FR-IMAGE-UNFIT", faults.join("\n"));
      terminal.print("the kernel and the root file system fit: they should boot to a claim");
    },
  });

const megabytes = ({ sizeBytes }: StoredImage): string => `${(sizeBytes / 1_000_000).toFixed(1)} MB`;
