import { readFileSync } from "node:fs";
import { z } from "zod";
import { FireRunnerError } from "../../model/errors.js";
import { parseOrRefuse } from "../../model/validation.js";

const driveSchema = z.object({
  drive_id: z.string().regex(/^\w{1,64}$/, "must be letters, digits or _"),
  /** A raw image, a block device or, beyond what Firecracker takes, a qcow2 image. */
  path_on_host: z.string().min(1),
  is_root_device: z.boolean(),
  is_read_only: z.boolean().default(false),
  cache_type: z.enum(["Unsafe", "Writeback"]).default("Unsafe"),
});

const interfaceSchema = z.object({
  iface_id: z.string().regex(/^[a-z]\w{0,63}$/, "must be a lower-case letter and then letters, digits or _"),
  /** A tap device, or `user`: the guest's connections are then made by this process. */
  host_dev_name: z.string().min(1).max(15),
  guest_mac: z
    .string()
    .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i, "must be a MAC such as 02:00:00:00:00:05")
    .optional(),
});
export type VmmInterface = z.output<typeof interfaceSchema>;

/** What is used of Firecracker's configuration file; what else stands in it, such as where to log, is passed over. */
export const vmmConfigSchema = z.object({
  "boot-source": z.object({ kernel_image_path: z.string().min(1), boot_args: z.string().default("") }),
  drives: z
    .array(driveSchema)
    .min(1)
    .refine((drives) => drives.filter((drive) => drive.is_root_device).length === 1, "must have exactly one root device"),
  "machine-config": z.object({
    vcpu_count: z
      .int()
      .min(1)
      .max(32)
      .refine((count) => count === 1 || count % 2 === 0, "must be 1 or an even number"),
    mem_size_mib: z.int().min(1),
  }),
  "mmds-config": z.object({ version: z.enum(["V1", "V2"]).default("V1"), network_interfaces: z.array(z.string()).min(1) }).optional(),
  "network-interfaces": z.array(interfaceSchema).default([]),
});
export type VmmConfig = z.output<typeof vmmConfigSchema>;

/** Reads a configuration file; `FR-CONFIG` when it cannot be read, `FR-INVALID` naming the field when it is refused. */
export function readVmmConfig(file: string): VmmConfig {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (caught) {
    throw FireRunnerError.from(caught, "FR-CONFIG", `reading the microVM's configuration ${file}`);
  }
  return parseOrRefuse(vmmConfigSchema, content, "configuration");
}
