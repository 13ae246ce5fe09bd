const component = "[a-z0-9]+(?:[._-]+[a-z0-9]+)*";
const reference = new RegExp(
  `^([A-Za-z0-9.-]+(?::\\d{1,5})?)/${component}(?:/${component})*(:[\\w][\\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$`,
);

/**
 * What a host could not pull `image` for, in words that follow "must"; undefined when it can. A host takes any text at
 * Create and only fails when it pulls: it knows no short names and no default tag.
 */
export function imageReferenceFault(image: string): string | undefined {
  const parts = reference.exec(image);
  if (parts === null) return "be REGISTRY/PATH:TAG or REGISTRY/PATH@sha256:DIGEST with a lower-case path";
  const [, registry = "", tag, digest] = parts;
  if (!/[.:]/.test(registry) && registry !== "localhost")
    return "begin with its registry, such as docker.io/library/…: hosts know no short names";
  if (tag === undefined && digest === undefined) return "end with a tag or a digest: hosts know no default tag";
  return undefined;
}
