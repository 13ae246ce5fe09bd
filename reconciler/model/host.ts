import { z } from "zod";
import { countSchema, labelsSchema, nameSchema, secretRefSchema } from "./fields.js";
import { holds, parseIpv4, parseRange, parseSubnet } from "./ipv4.js";

const ipv4Schema = z.string().refine((text) => parseIpv4(text) !== undefined, "must be an IPv4 address such as 10.20.0.1");

const staticNetworkSchema = z
  .strictObject({
    mode: z.literal("static"),
    /** The network of the guests, for example `10.20.0.0/24`; FireRunner gives every microVM an address of it. */
    subnet: z
      .string()
      .refine((text) => parseSubnet(text) !== undefined, "must be a network such as 10.20.0.0/24 with a prefix of at most 30"),
    gateway: ipv4Schema,
    nameservers: z.array(ipv4Schema).max(4).default([]),
    /** Addresses of the subnet that others use: each an address, `FIRST-LAST` or a network. */
    exclude: z
      .array(
        z.string().refine((text) => parseRange(text) !== undefined, "must be an address, FIRST-LAST or a network such as 10.20.0.64/28"),
      )
      .max(64, "must be at most 64 entries")
      .default([]),
    /** The bridge that the host connects the guests to; the host's own default when it is left out. */
    bridge: z.string().min(1).max(15).optional(),
    /** Whether the host hides the guests' own addresses behind its own. */
    nat: z.boolean().default(true),
  })
  .superRefine((network, context) => {
    const subnet = parseSubnet(network.subnet);
    const gateway = parseIpv4(network.gateway);
    if (subnet !== undefined && gateway !== undefined && !holds(subnet, gateway)) {
      context.addIssue({
        code: "custom",
        path: ["gateway"],
        message: `must be an address of subnet ${network.subnet}`,
        input: network.gateway,
      });
    }
    network.exclude.forEach((text, index) => {
      const range = parseRange(text);
      if (subnet === undefined || range === undefined) return;
      if (range.first >= subnet.first && range.last < subnet.first + subnet.count) return;
      context.addIssue({ code: "custom", path: ["exclude", index], message: `must be addresses of subnet ${network.subnet}`, input: text });
    });
  });

const dhcpNetworkSchema = z.strictObject({
  mode: z.literal("dhcp"),
  bridge: z.string().min(1).max(15).optional(),
  nat: z.boolean().default(true),
});

/** How the service speaks with a host: without TLS only when `insecure` is said by name. */
const tlsSchema = z.union([
  z.strictObject({ insecure: z.literal(true) }),
  z
    .strictObject({ caFile: z.string().min(1).optional(), certFile: z.string().min(1).optional(), keyFile: z.string().min(1).optional() })
    .refine((tls) => (tls.certFile === undefined) === (tls.keyFile === undefined), "certFile and keyFile must be given together"),
]);

/** A machine with flintlockd on it. */
export const hostSchema = z.strictObject({
  name: nameSchema,
  /** `HOST:PORT` of its gRPC API. */
  endpoint: z.string().regex(/^[^\s/]+:\d{1,5}$/, "must be HOST:PORT"),
  tls: tlsSchema.default({}),
  /** The server's Basic token, when it asks for one. */
  token: secretRefSchema.optional(),
  capacity: z.strictObject({
    vcpu: countSchema,
    memoryMb: countSchema,
    microvms: countSchema,
    /** How many virtual CPUs are given out for each of `vcpu`; 1 when left out. Memory is never given out twice. */
    vcpuOvercommit: z.number().min(1, "must be at least 1").max(16, "must be at most 16").optional(),
  }),
  labels: labelsSchema.default({}),
  network: z.discriminatedUnion("mode", [staticNetworkSchema, dhcpNetworkSchema]),
});
export type Host = z.output<typeof hostSchema>;
export type HostInput = z.input<typeof hostSchema>;
