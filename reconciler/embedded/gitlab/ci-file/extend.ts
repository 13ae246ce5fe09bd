import { type Findings, Place, quote } from "./findings.js";
import type { YamlEntry, YamlMap, YamlNode } from "./yaml-node.js";

const maxLevels = 10;
const maxMergedEntries = 50_000;

/** Works `extends` into jobs: mappings are merged key by key, everything else is replaced, the job itself comes last. */
export class Extender {
  private readonly extended = new Map<string, YamlMap | undefined>();
  private mergedEntries = 0;

  /** `jobs` are all entries of the file that are no keywords, hidden ones included. */
  constructor(
    private readonly jobs: ReadonlyMap<string, YamlEntry>,
    private readonly findings: Findings,
  ) {}

  /** The job with all that it extends; undefined when it is no mapping or its `extends` cannot be followed, which is then said. */
  extend(name: string, path: readonly string[] = []): YamlMap | undefined {
    if (this.extended.has(name)) return this.extended.get(name);
    const entry = this.jobs.get(name);
    if (entry === undefined) return undefined;
    const place = new Place(this.findings, entry.line, `job ${quote(name)}`);
    const result = this.follow(name, entry, place, [...path, name]);
    this.extended.set(name, result);
    return result;
  }

  private follow(name: string, entry: YamlEntry, place: Place, path: readonly string[]): YamlMap | undefined {
    if (entry.node.kind !== "map") {
      place.refuse(entry.node, "a job must be a mapping of keywords, with at least script");
      return undefined;
    }
    const given = entry.node.entries.get("extends");
    if (given === undefined) return entry.node;
    const keyword = place.inner("extends", given.line);
    const parents = parentNames(given.node);
    if (parents === undefined) {
      keyword.refuse(given.node, "must be the name of a job or a list of names");
      return undefined;
    }
    let merged: YamlMap | undefined;
    for (const parent of parents) {
      const base = this.parent(parent, keyword, path);
      if (base === undefined) return undefined;
      merged = merged === undefined ? base : this.merge(merged, base);
    }
    const whole = merged === undefined ? entry.node : this.merge(merged, entry.node);
    if (this.mergedEntries <= maxMergedEntries) return whole;
    keyword.say(`${quote(name)} becomes too large: all that is extended in a file may have ${maxMergedEntries} entries`);
    return undefined;
  }

  private parent(name: string, keyword: Place, path: readonly string[]): YamlMap | undefined {
    if (!this.jobs.has(name)) {
      keyword.say(`${quote(name)} is refused: the file has no job of this name`);
      return undefined;
    }
    if (path.includes(name)) {
      keyword.say(`jobs extend each other in a circle: ${[...path, name].map(quote).join(" -> ")}`);
      return undefined;
    }
    if (path.length > maxLevels) {
      keyword.say(`${quote(name)} is refused: extends may be followed over ${maxLevels} levels`);
      return undefined;
    }
    return this.extend(name, path);
  }

  private merge(base: YamlMap, over: YamlMap): YamlMap {
    const entries = new Map(base.entries);
    for (const [key, entry] of over.entries) {
      this.mergedEntries += 1;
      const below = entries.get(key)?.node;
      const bothMaps = below?.kind === "map" && entry.node.kind === "map" && this.mergedEntries <= maxMergedEntries;
      entries.set(key, bothMaps ? { line: entry.line, node: this.merge(below, entry.node) } : entry);
    }
    return { kind: "map", line: over.line, entries };
  }
}

function parentNames(node: YamlNode): readonly string[] | undefined {
  const items = node.kind === "list" ? node.items : [node];
  const names = items.map((item) => (item.kind === "scalar" && typeof item.value === "string" ? item.value : undefined));
  return names.every((name) => name !== undefined) ? names : undefined;
}
