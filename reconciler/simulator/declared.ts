import type { Connection } from "../model/connection.js";
import type { Host } from "../model/host.js";
import type { Image } from "../model/image.js";
import type { Pool } from "../model/pool.js";
import type { Write } from "../store/port.js";

/** What people declare of a fleet. */
export interface DeclaredFleet {
  readonly hosts: readonly Host[];
  readonly pools: readonly Pool[];
  readonly images: readonly Image[];
  readonly connections: readonly Connection[];
}

/** What writes a fleet down as declared at a time, whatever was declared before. */
export function declaredWrites({ hosts, pools, images, connections }: DeclaredFleet, declaredAt: number): readonly Write[] {
  const writes = <S extends { readonly name: string }>(kind: string, specs: readonly S[]) =>
    specs.map((spec, order) => ({
      kind,
      key: spec.name,
      value: { spec, generation: 1, order, declaredAt },
      expect: "any",
    })) as unknown as Write[];
  return [...writes("host", hosts), ...writes("pool", pools), ...writes("image", images), ...writes("connection", connections)];
}
