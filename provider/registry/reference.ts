/** The parts of an image reference, completed as container tools complete them. */
export interface ImageReference {
  /** `HOST[:PORT]` of the registry's API. */
  readonly registry: string;
  readonly repository: string;
  /** What the reference names: a tag or a digest. */
  readonly version: string;
  /** The reference up to its tag: what a digest is put behind. */
  readonly name: string;
}

const dockerHub = "registry-1.docker.io";

/** Parts a reference: `debian` is `docker.io/library/debian:latest`. */
export function parseReference(text: string): ImageReference {
  const [named = "", digest] = text.split("@");
  const tagAt = named.indexOf(":", named.lastIndexOf("/") + 1);
  const name = tagAt < 0 ? named : named.slice(0, tagAt);
  const version = digest ?? (tagAt < 0 ? "latest" : named.slice(tagAt + 1));
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  if (/[.:]/.test(first) || first === "localhost") {
    const hub = first === "docker.io" || first === "index.docker.io";
    return { registry: hub ? dockerHub : first, repository: hub ? official(name.slice(slash + 1)) : name.slice(slash + 1), version, name };
  }
  return { registry: dockerHub, repository: official(name), version, name: `docker.io/${official(name)}` };
}

const official = (repository: string): string => (repository.includes("/") ? repository : `library/${repository}`);

/** The registry's base address: a registry of this machine speaks plain HTTP, as container tools take it. */
export function registryUrl(registry: string): string {
  const local = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(registry);
  return `${local ? "http" : "https"}://${registry}`;
}
