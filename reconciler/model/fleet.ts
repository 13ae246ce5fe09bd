import { z } from "zod";
import { connectionSchema } from "./connection.js";
import { type Host, hostSchema } from "./host.js";
import { imageSchema } from "./image.js";
import { overlap, parseSubnet } from "./ipv4.js";
import { poolSchema } from "./pool.js";
import type { Refusal } from "./validation.js";

/** The fleet file: the declared records as YAML, applied as one. */
export const fleetSchema = z.strictObject({
  hosts: z.array(hostSchema).default([]),
  images: z.array(imageSchema).default([]),
  connections: z.array(connectionSchema).default([]),
  pools: z.array(poolSchema).default([]),
});
export type Fleet = z.output<typeof fleetSchema>;
export type FleetInput = z.input<typeof fleetSchema>;

/** What is wrong between the records of a fleet: doubled names, references to nothing, networks that share addresses. */
export function fleetRefusals(fleet: Fleet): readonly Refusal[] {
  return [
    ...doubled("hosts", fleet.hosts),
    ...doubled("images", fleet.images),
    ...doubled("connections", fleet.connections),
    ...doubled("pools", fleet.pools),
    ...fleet.pools.flatMap((pool, index) => [
      ...missing(`pools[${index}].image`, pool.image, "image", fleet.images),
      ...missing(`pools[${index}].connection`, pool.connection, "connection", fleet.connections),
    ]),
    ...overlaps(fleet.hosts),
  ];
}

function doubled(list: string, records: readonly { readonly name: string }[]): readonly Refusal[] {
  return records.flatMap((record, index) =>
    records.findIndex((other) => other.name === record.name) < index
      ? [{ field: `${list}[${index}].name`, message: `"${record.name}" is refused: another of the ${list} has this name` }]
      : [],
  );
}

function missing(field: string, name: string, kind: string, records: readonly { readonly name: string }[]): readonly Refusal[] {
  if (records.some((record) => record.name === name)) return [];
  const known = records.map((record) => record.name).join(", ");
  return [{ field, message: `"${name}" is refused: no such ${kind}; ${known === "" ? `no ${kind} is declared` : `declared: ${known}`}` }];
}

function overlaps(hosts: readonly Host[]): readonly Refusal[] {
  const networks = hosts.flatMap((host, index) => {
    const subnet = host.network.mode === "static" ? parseSubnet(host.network.subnet) : undefined;
    return subnet === undefined || host.network.mode !== "static" ? [] : [{ host, index, subnet, text: host.network.subnet }];
  });
  return networks.flatMap((a) =>
    networks
      .filter((b) => b.index < a.index && overlap(a.subnet, b.subnet))
      .slice(0, 1)
      .map((b) => ({
        field: `hosts[${a.index}].network.subnet`,
        message: `"${a.text}" is refused: it overlaps ${b.text} of host "${b.host.name}"`,
      })),
  );
}
