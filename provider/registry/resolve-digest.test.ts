import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { registryLogin, type SmallRegistry, startSmallRegistry } from "../provider.fixture.js";
import { parseReference, registryUrl } from "./reference.js";
import { resolveDigest } from "./resolve-digest.js";

const manifest = "application/vnd.oci.image.manifest.v1+json";
const index = "application/vnd.oci.image.index.v1+json";
const env = { HOME: "/nonexistent" };

describe("a reference", () => {
  it.each([
    ["debian", "registry-1.docker.io", "library/debian", "latest", "docker.io/library/debian"],
    ["debian:13", "registry-1.docker.io", "library/debian", "13", "docker.io/library/debian"],
    ["acme/ci:1", "registry-1.docker.io", "acme/ci", "1", "docker.io/acme/ci"],
    ["docker.io/acme/ci", "registry-1.docker.io", "acme/ci", "latest", "docker.io/acme/ci"],
    ["docker.io/debian:13", "registry-1.docker.io", "library/debian", "13", "docker.io/debian"],
    ["ghcr.io/acme/a/b:v1.2", "ghcr.io", "acme/a/b", "v1.2", "ghcr.io/acme/a/b"],
    ["localhost:5000/ci", "localhost:5000", "ci", "latest", "localhost:5000/ci"],
    ["r.example:8443/ci:1", "r.example:8443", "ci", "1", "r.example:8443/ci"],
  ])("%s", (text, registry, repository, version, name) => {
    expect(parseReference(text)).toEqual({ registry, repository, version, name });
  });

  it("of this machine is asked over HTTP, of any other over HTTPS", () => {
    expect(["localhost:5000", "127.0.0.1:1", "ghcr.io", "localhost.example"].map(registryUrl)).toEqual([
      "http://localhost:5000",
      "http://127.0.0.1:1",
      "https://ghcr.io",
      "https://localhost.example",
    ]);
  });
});

describe("a tag", () => {
  let registry: SmallRegistry;
  afterEach(() => registry.stop());

  it("of one image is the digest of its manifest", async () => {
    registry = await startSmallRegistry();
    const digest = registry.put("ci/rootfs", "1", manifest, { schemaVersion: 2 });
    expect(await resolveDigest(`${registry.name}/ci/rootfs:1`, { arch: "amd64", env })).toBe(`${registry.name}/ci/rootfs@${digest}`);
  });

  it("of an index is the manifest of the architecture, and a missing one is told with those that are there", async () => {
    registry = await startSmallRegistry();
    const digestOf = (letter: string) => `sha256:${letter.repeat(64)}`;
    const manifests = [
      { digest: digestOf("e"), platform: { os: "windows", architecture: "amd64" } },
      { digest: digestOf("a"), platform: { os: "linux", architecture: "amd64" } },
      { digest: digestOf("b"), platform: { os: "linux", architecture: "arm64" } },
    ];
    registry.put("ci/rootfs", "1", index, { manifests });
    registry.put("ci/rootfs", "2", index, { manifests: manifests.slice(0, 2) });
    const resolve = (tag: string) => resolveDigest(`${registry.name}/ci/rootfs:${tag}`, { arch: "arm64", env });
    expect(await resolve("1")).toBe(`${registry.name}/ci/rootfs@${digestOf("b")}`);
    await expect(resolve("2")).rejects.toThrow(`could not resolve ${registry.name}/ci/rootfs:2: it has no arm64, only amd64`);
  });

  it("behind a token service is asked for with a token for pulling it", async () => {
    registry = await startSmallRegistry("token");
    const digest = registry.put("ci/rootfs", "1", manifest, {});
    expect(await resolveDigest(`${registry.name}/ci/rootfs:1`, { arch: "amd64", env })).toContain(digest);
    expect(registry.requests.map(({ url }) => decodeURIComponent(url))).toContain("/token?scope=repository:ci/rootfs:pull&service=small");
  });

  it("behind a login is asked for with what `docker login` kept", async () => {
    registry = await startSmallRegistry("basic");
    const digest = registry.put("ci/rootfs", "1", manifest, {});
    const reference = `${registry.name}/ci/rootfs:1`;
    await expect(resolveDigest(reference, { arch: "amd64", env })).rejects.toThrow(/needs a login/);
    const home = mkdtempSync(join(tmpdir(), "fr-docker-"));
    try {
      mkdirSync(join(home, ".docker"));
      writeFileSync(join(home, ".docker", "config.json"), JSON.stringify({ auths: { [registry.name]: { auth: registryLogin } } }));
      expect(await resolveDigest(reference, { arch: "amd64", env: { HOME: home } })).toContain(digest);
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  it("that is not there is told with registry and reference", async () => {
    registry = await startSmallRegistry();
    await expect(resolveDigest(`${registry.name}/ci/none:1`, { arch: "amd64", env })).rejects.toMatchObject({
      code: "FR-CONFIG",
      message: `the registry ${registry.name} could not resolve ${registry.name}/ci/none:1: it is not known there`,
    });
  });
});

it("a registry that is away is told with its name and the reference", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise((resolve) => server.close(resolve));
  await expect(resolveDigest(`${registry}/ci:1`, { arch: "amd64", env })).rejects.toThrow(
    new RegExp(`^the registry ${registry} could not resolve ${registry}/ci:1: .*ECONNREFUSED`),
  );
});
