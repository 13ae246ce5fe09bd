import { chmod, copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { recipe } from "./recipes.js";
import { sourceDate } from "./source-date.js";

const folder = "usr/lib/firerunner";

/** Puts the guest agent and what it calls below a root file system's folder. */
export async function placeAgent(root: string): Promise<void> {
  await placePrograms(root, ["agent/firerunner-agent", "agent/fr-http", "rootfs/fr-guest"]);
}

/** What the kernel does not make: it fills /dev with devices alone. */
const devLinks = { fd: "/proc/self/fd", stdin: "fd/0", stdout: "fd/1", stderr: "fd/2" };

/** Puts our init and what it needs below a root file system's folder. */
export async function placeInit(root: string): Promise<void> {
  await placePrograms(root, ["rootfs/init", "rootfs/fr-poweroff", "rootfs/dhcp-event"]);
  await mkdir(join(root, "usr/sbin"), { recursive: true });
  await symlink("../lib/firerunner/init", join(root, "usr/sbin/init"));
  await copyFile(recipe("rootfs/fstab"), join(root, folder, "fstab"));
  await writeFile(join(root, folder, "built-at"), `${sourceDate()}\n`);
  await mkdir(join(root, folder, "dev"));
  for (const [name, target] of Object.entries(devLinks)) await symlink(target, join(root, folder, "dev", name));
}

/** What Debian's packages would do now and then, and nobody logs in: a microVM that lives for one job needs none of it. */
const masked = ["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer", "getty.target"];

/** Lets our init hand over to systemd, which starts the agent beside whatever else is to run. */
export async function placeSystemd(root: string): Promise<void> {
  const units = join(root, "etc/systemd/system");
  const wanted = join(units, "multi-user.target.wants");
  await mkdir(wanted, { recursive: true });
  await symlink("../systemd/systemd", join(root, folder, "next-init"));
  await copyFile(recipe("agent/firerunner-agent.service"), join(units, "firerunner-agent.service"));
  await symlink("../firerunner-agent.service", join(wanted, "firerunner-agent.service"));
  for (const unit of masked) await symlink("/dev/null", join(units, unit));
}

/** Each in the folder of ours; those that others call are on PATH. */
async function placePrograms(root: string, programs: readonly string[]): Promise<void> {
  const bin = "usr/local/bin";
  for (const path of [folder, bin]) await mkdir(join(root, path), { recursive: true });
  for (const program of programs) {
    const name = program.slice(program.indexOf("/") + 1);
    await copyFile(recipe(program), join(root, folder, name));
    await chmod(join(root, folder, name), 0o755);
    if (/^(fr|firerunner)-/.test(name)) await symlink(`../../lib/firerunner/${name}`, join(root, bin, name));
  }
}
