/** An installed package of Debian. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
}

/** The installed packages of a dpkg `status` file, by name. */
export function readDpkgStatus(text: string): readonly DebianPackage[] {
  const field = (paragraph: string, name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(paragraph)?.[1];
  const packages = text.split("\n\n").flatMap((paragraph) => {
    const name = field(paragraph, "Package");
    const version = field(paragraph, "Version");
    if (name === undefined || version === undefined || field(paragraph, "Status") !== "install ok installed") return [];
    return [{ name, version, arch: field(paragraph, "Architecture") ?? "all" }];
  });
  return packages.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** What else is in an image: a name, a version and what it is. */
export interface OtherComponent {
  readonly name: string;
  readonly version: string;
}

export interface SbomOptions {
  /** The image's name. */
  readonly name: string;
  readonly version: string;
  /** Seconds since 1970. */
  readonly date: number;
  readonly packages: readonly DebianPackage[];
  readonly others: readonly OtherComponent[];
}

/** The bill of materials of an image as CycloneDX 1.5: Debian's packages by their package URLs, and our own parts. */
export function cycloneDx({ name, version, date, packages, others }: SbomOptions): string {
  const components = [
    ...packages.map((each) => ({
      type: "library",
      name: each.name,
      version: each.version,
      purl: `pkg:deb/debian/${encodeURIComponent(each.name)}@${encodeURIComponent(each.version)}?arch=${each.arch}`,
    })),
    ...others.map((each) => ({ type: "application", ...each })),
  ];
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: { timestamp: new Date(date * 1000).toISOString(), component: { type: "operating-system", name, version } },
    components,
  };
  return `${JSON.stringify(document, undefined, 1)}\n`;
}
