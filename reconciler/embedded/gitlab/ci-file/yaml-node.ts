/** A value of a YAML file with the line it stands on; anchors and merge keys are worked in, so one node may stand in several places. */
export type YamlNode = YamlMap | YamlList | YamlScalar;

export interface YamlMap {
  readonly kind: "map";
  readonly line: number;
  readonly entries: ReadonlyMap<string, YamlEntry>;
}

/** A value and the line of its key. */
export interface YamlEntry {
  readonly line: number;
  readonly node: YamlNode;
}

interface YamlList {
  readonly kind: "list";
  readonly line: number;
  readonly items: readonly YamlNode[];
}

export interface YamlScalar {
  readonly kind: "scalar";
  readonly line: number;
  readonly value: string | number | boolean | null;
  /** As it is written in the file. */
  readonly source: string;
}
