import type { Connection } from "../model/connection.js";
import type { Host } from "../model/host.js";
import type { Image } from "../model/image.js";
import type { Pool } from "../model/pool.js";
import type { Kind } from "../model/records.js";
import type { Store, Write } from "../store/port.js";
import type { VirtualClock } from "./virtual-clock.js";

/** What people declare of a fleet. */
interface DeclaredFleet {
  readonly hosts: readonly Host[];
  readonly pools: readonly Pool[];
  readonly images: readonly Image[];
  readonly connections: readonly Connection[];
}

/** The people of a world: they declare its fleet, and try until what they write is written. */
export class People {
  private declared: readonly Write[] = [];

  constructor(
    private readonly store: () => Store,
    private readonly clock: Pick<VirtualClock, "sleep">,
  ) {}

  async declare(fleet: DeclaredFleet, declaredAt: number): Promise<void> {
    this.declared = declaredWrites(fleet, declaredAt);
    await this.write(this.declared);
  }

  /** They declare again what they had declared, or some of it. */
  async declareAgain(isMeant: (kind: Kind, name: string) => boolean = () => true): Promise<void> {
    await this.write(this.declared.filter(({ kind, key }) => isMeant(kind, key)));
  }

  async write(writes: readonly Write[]): Promise<void> {
    if (writes.length === 0) return;
    for (;;) {
      try {
        await this.store().commit({ writes });
        return;
      } catch {
        await this.clock.sleep(1_000);
      }
    }
  }
}

/** What writes a fleet down as declared at a time, whatever was declared before. */
function declaredWrites({ hosts, pools, images, connections }: DeclaredFleet, declaredAt: number): readonly Write[] {
  const writes = <S extends { readonly name: string }>(kind: string, specs: readonly S[]) =>
    specs.map((spec, order) => ({
      kind,
      key: spec.name,
      value: { spec, generation: 1, order, declaredAt },
      expect: "any",
    })) as unknown as Write[];
  return [...writes("host", hosts), ...writes("pool", pools), ...writes("image", images), ...writes("connection", connections)];
}
