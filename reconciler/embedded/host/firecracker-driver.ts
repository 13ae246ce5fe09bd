import type { MicroVMSpec } from "../../../proto/gen/types/microvm_pb.js";
import { recipe } from "../../images/recipes.js";
import { runTool } from "../../images/run-tool.js";
import { FireRunnerError } from "../../model/errors.js";
import { writeBootFiles } from "./boot-files.js";
import type { VmDriver } from "./driver.js";
import { GuestImages, type GuestImagesOptions } from "./guest-images.js";
import { consoleIn, makeVmFolder, type OwnDisk } from "./vm-folder.js";
import { type PrepareVm, VmGroups } from "./vm-groups.js";

export interface FirecrackerDriverOptions {
  /** The path of Firecracker's binary, or of a program with its command line. */
  readonly program: string;
  /** The host's own directory; made when missing. Only one host at a time may use it. */
  readonly directory: string;
  readonly images: GuestImagesOptions;
  /** Further variables of the program. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What whoever starts such a driver should be told. */
export const firecrackerNotice =
  "The firecracker driver boots every microVM from its images; guests reach this machine and nothing beyond it.";

/** A copy of the image's disk; where the file system can, no byte is copied. */
const copiedDisk: OwnDisk = {
  fileName: "root.ext4",
  make: (base, path) => runTool("cp", ["--reflink=auto", "--sparse=always", base, path], { limitMs: 300_000 }),
};

/**
 * Runs every VM by Firecracker, as a flintlockd starts it, in a network namespace of its own that ends with it. Needs root,
 * KVM, and microVMs with an address: there is nobody to ask for one.
 */
export function createFirecrackerDriver({ program, directory, images: given, env }: FirecrackerDriverOptions): VmDriver {
  const images = new GuestImages(given);
  const prepare: PrepareVm = async (vm, folder) => {
    const { uid, spec } = vm;
    const { address, gateway } = addressOf(spec);
    const files = await makeVmFolder(images, spec, folder, copiedDisk);
    const device = (id: string) => (id === "eth0" ? "metadata" : "guest");
    const network = ["unshare", "--net", "--mount", "--", "sh", recipe("vmm/fr-network"), `fr${uid.slice(-10).toLowerCase()}`];
    return {
      command: [...network, address, gateway, program, ...(await writeBootFiles(vm, folder, { ...files, device }))],
      env: { PATH: process.env.PATH ?? "/usr/sbin:/usr/bin", HOME: folder, TMPDIR: folder, ...env },
      log: consoleIn(folder),
    };
  };
  return new VmGroups(directory, prepare);
}

function addressOf({ id, interfaces }: MicroVMSpec): { readonly address: string; readonly gateway: string } {
  const given = interfaces.find(({ deviceId }) => deviceId !== "eth0")?.address;
  const [address, gateway] = [given?.address, given?.gateway].map((cidr) => cidr?.split("/")[0]);
  if (address && gateway) return { address, gateway };
  throw new FireRunnerError("FR-INVALID", `microVM "${id}": interfaces: the firecracker driver needs an address and a gateway for it`);
}
