import { type DeclaredKind, declaredKinds } from "../reconciler/model/declared.js";
import { listDeclared } from "./admin-api.js";
import { isBag } from "./handlers/bags.js";
import type { Bag, Context } from "./handlers/handler.js";
import { handlers } from "./handlers/handlers.js";
import { kindOfType, loaderOf, type ResourceType, resourceTypes, tokenOf } from "./resource-types.js";

/** One resource of an import file; the engine takes inputs and outputs as they are, without asking a provider. */
interface ImportedResource {
  readonly type: string;
  readonly name: string;
  readonly id: string;
  readonly inputs: Bag;
  readonly outputs: Bag;
}

/** What `pulumi import --file` takes (CLI 3.254 and later). */
export interface ImportFile {
  readonly resources: readonly ImportedResource[];
}

/** Everything that a reconciler has, as an import file: resources are called as their records. */
export async function importFileOf(context: Context): Promise<ImportFile> {
  const resources: ImportedResource[] = [];
  for (const kind of declaredKinds) {
    const type = typeOf(kind);
    for (const { spec } of await listDeclared(context.api, kind)) {
      const read = await handlers[type].read(context, spec.name, {});
      // What was removed while the rest was read is not there to be imported.
      if (read === undefined) continue;
      const beside = { ...asWritten(type, read.inputs), __provider: loaderOf(type) };
      resources.push({
        type: tokenOf(type),
        name: spec.name,
        id: spec.name,
        inputs: { ...read.inputs, ...beside },
        outputs: { ...read.outs, ...beside },
      });
    }
  }
  return { resources };
}

/** An import changes nothing: a tag that the record has stays one until the program says otherwise. */
function asWritten(type: ResourceType, { kernel, rootfs }: Bag): Bag {
  if (type !== "MicrovmImage") return {};
  const pinned = [kernel, rootfs].every((part) => isBag(part) && String(part.image).includes("@sha256:"));
  return pinned ? {} : { resolveTags: false };
}

function typeOf(kind: DeclaredKind): ResourceType {
  const [type] = resourceTypes.filter((candidate) => kindOfType[candidate] === kind);
  if (type === undefined) throw new TypeError(`no resource type declares a ${kind}`);
  return type;
}
