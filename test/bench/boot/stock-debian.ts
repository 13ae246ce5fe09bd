import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "../../../reconciler/images/run-tool.js";
import { cache, type OwnImages } from "./images.js";

/** A Debian as its packages make it: the kernel for clouds with its initial RAM disk, and a disk with systemd and cloud-init. */
export interface StockDebian {
  readonly kernel: string;
  readonly initrd: string;
  readonly disk: string;
}

const limitMs = 30 * 60_000;
/** The kernel, and what makes its initial RAM disk as Debian's installer would have it made. */
const packages = "linux-image-cloud-amd64 initramfs-tools busybox zstd";

/**
 * Downloads what is missing into a folder of its own, with the sources and lists of the system that gets it: nothing of this
 * machine's packages is touched. Then installs it there; its scripts find the little of /dev that they need.
 */
const install = `
cd "$1"
lists=$PWD/apt
mkdir -p "$lists/lists/partial" tree/var/debs/partial
given="-q -o Dir::Etc::sourcelist=$PWD/tree/etc/apt/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$lists/lists
  -o Dir::State::status=$PWD/tree/var/lib/dpkg/status -o Dir::Cache=$lists -o Dir::Cache::archives=$PWD/tree/var/debs
  -o APT::Sandbox::User=root"
apt-get $given update
apt-get $given --download-only --no-install-recommends -y install ${packages}
mount -t proc proc tree/proc
mount -t tmpfs tmp tree/tmp
DEBIAN_FRONTEND=noninteractive chroot tree sh -c 'dpkg -i /var/debs/*.deb'
umount tree/proc tree/tmp
rm -r tree/var/debs "$lists"
mv tree/boot/vmlinuz-* vmlinuz
mv tree/boot/initrd.img-* initrd.img
mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=0,root_owner=0:0 -N 400000 -m 0 -d tree root.ext4 8G
rm -r tree
`;

/** The stock system of the same root file system as the image `cloud-init`; made once for each of these. Takes minutes. */
export async function stockDebian({ layout, digestOf }: OwnImages): Promise<StockDebian> {
  const digest = await digestOf("cloud-init");
  const folder = join(cache, `stock-${digest.replace("sha256:", "").slice(0, 32)}`);
  if (!existsSync(folder)) {
    await mkdir(cache, { recursive: true });
    const work = await mkdtemp(`${folder}.`);
    try {
      await runTool("umoci", ["raw", "unpack", "--keep-dirlinks", "--image", `${layout}:cloud-init`, join(work, "tree")], { limitMs });
      await runTool("unshare", ["--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", install, "sh", work], { limitMs });
      await rename(work, folder);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  return { kernel: join(folder, "vmlinuz"), initrd: join(folder, "initrd.img"), disk: join(folder, "root.ext4") };
}
