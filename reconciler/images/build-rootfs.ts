import { chmod, copyFile, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { jobUserCommands } from "./job-user.js";
import { placeAgent, placeInit, placeSystemd } from "./place-guest-files.js";
import { recipe } from "./recipes.js";
import { runTool } from "./run-tool.js";
import { type CarriedRunner, type GitLabRunnerSource, placeEmbeddedRunner, placeGitLabRunner } from "./runner-program.js";
import { type DebianPackage, readDpkgStatus } from "./sbom.js";
import { sourceDate } from "./source-date.js";

/** The root file systems that there are recipes for. */
export const rootfsFlavours = ["shell", "docker", "cloud-init"] as const;
export type RootfsFlavour = (typeof rootfsFlavours)[number];

/** What makes a flavour. */
interface RootfsRecipe {
  /** The lists of packages, each `rootfs/NAME.packages`. */
  readonly lists: readonly string[];
  /** Puts files of ours below a folder. */
  readonly place: (root: string) => Promise<void>;
  /** Commands that are run in the root's folder at the end. */
  readonly finish: readonly string[];
}

const recipes: Readonly<Record<RootfsFlavour, RootfsRecipe>> = {
  shell: {
    lists: ["shell"],
    place: async (root) => {
      await placeAgent(root);
      await placeInit(root);
    },
    finish: [": >etc/resolv.conf", ...jobUserCommands],
  },
  docker: {
    lists: ["shell", "docker"],
    place: async (root) => {
      await placeAgent(root);
      await placeInit(root);
      await placeSystemd(root);
    },
    finish: [": >etc/resolv.conf", ...jobUserCommands, "chroot . usermod --append --groups docker job"],
  },
  // As somebody else would make it: addresses, names and the agent come by cloud-init.
  "cloud-init": {
    lists: ["cloud-init"],
    place: async () => {},
    finish: ["ln -sf ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf"],
  },
};

export interface RootfsBuildOptions {
  readonly flavour: RootfsFlavour;
  /** A folder of the build's own; it is there and empty. */
  readonly work: string;
  /** Debian's mirror. */
  readonly mirror?: string;
  /** Without it the image carries the embedded runner. */
  readonly gitlabRunner?: GitLabRunnerSource;
  readonly say: (line: string) => void;
  /** Ends the build. */
  readonly signal?: AbortSignal | undefined;
}

/** A built root file system, as one layer. */
export interface BuiltRootfs {
  readonly layer: string;
  readonly runner: CarriedRunner;
  readonly packages: readonly DebianPackage[];
}

const suite = "bookworm";
const limitMs = 30 * 60_000;
/** What a guest does not read, and a mirror of packages left behind. */
const leftOut = ["doc", "man", "info", "locale", "bug", "lintian", "linda"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
const emptied = [
  "rm -rf var/cache/apt/* var/cache/debconf/*-old var/lib/apt/lists/* var/lib/dpkg/*-old var/log/* tmp/* etc/ssh/ssh_host_*",
  // Each microVM makes one of its own; an empty file is where it is put.
  ": >etc/machine-id",
  "rm -f etc/hostname var/lib/dbus/machine-id",
  "printf '127.0.0.1 localhost\\n::1 localhost ip6-localhost\\n' >etc/hosts",
];

/** What is mounted for the packages' own scripts, and each process of theirs, ends with the build, however that ends. */
const confined = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/** Builds a root file system from Debian's packages and the files of `images/`, without a daemon and without network beyond the mirror. */
export async function buildRootfs(options: RootfsBuildOptions): Promise<BuiltRootfs> {
  const { flavour, work, mirror, say, signal } = options;
  const root = join(work, "files");
  const { lists, place, finish } = recipes[flavour];
  await rm(root, { recursive: true, force: true });
  await place(root);
  const runner = await placeRunner(options, root);
  const packages = (await Promise.all(lists.map((name) => readList(recipe(`rootfs/${name}.packages`))))).flat();
  say(`root file system ${flavour}: installing ${packages.length} packages of Debian ${suite} and what they need`);
  const layer = join(work, "layer.tar");
  const status = join(work, "status");
  const hooks = [
    ...[...emptied, ...finish].map((command) => `cd "$1" && ${command}`),
    `cp "$1/var/lib/dpkg/status" '${status}'`,
    `sync-in '${root}' /`,
  ];
  const args = [
    ...confined,
    "mmdebstrap",
    "--quiet",
    "--variant=minbase",
    "--format=tar",
    `--include=${packages.join(",")}`,
    ...leftOut,
    ...hooks.map((hook) => `--customize-hook=${hook}`),
    suite,
    layer,
    ...(mirror === undefined ? [] : [mirror]),
  ];
  await runTool("unshare", args, { env: { SOURCE_DATE_EPOCH: String(sourceDate()), TMPDIR: work }, limitMs, signal });
  const installed = readDpkgStatus(await readFile(status, "utf8"));
  return { layer, runner, packages: installed };
}

async function placeRunner({ gitlabRunner, say }: RootfsBuildOptions, root: string): Promise<CarriedRunner> {
  if (gitlabRunner !== undefined) return placeGitLabRunner(gitlabRunner, root);
  say("no gitlab-runner was given (--gitlab-runner): the image carries the embedded runner, which runs shell jobs with bash");
  const runner = await placeEmbeddedRunner(root);
  await mkdir(join(root, "usr/local/bin"), { recursive: true });
  await copyFile(recipe("rootfs/fr-runner"), join(root, "usr/local/bin/fr-runner"));
  await chmod(join(root, "usr/local/bin/fr-runner"), 0o755);
  return runner;
}

/** A list of one item a line; `#` begins a comment. */
async function readList(file: string): Promise<readonly string[]> {
  const lines = (await readFile(file, "utf8")).split("\n").map((line) => line.replace(/#.*/, "").trim());
  return lines.filter((line) => line !== "");
}
