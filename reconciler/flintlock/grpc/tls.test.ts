import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServerCredentials } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryDriver } from "../../embedded/host/memory-driver.js";
import { seededRandom } from "../../embedded/host/seeded-random.js";
import { type EmbeddedHost, startEmbeddedHost } from "../../embedded/host/start-embedded-host.js";
import { systemClock } from "../../model/clock.js";
import type { FireRunnerError } from "../../model/errors.js";
import type { HostInput } from "../../model/host.js";
import { ManualClock } from "../../model/manual-clock.fixture.js";
import type { FlintlockPort } from "../port.js";
import { pem, pemFile } from "./certificates.fixture.js";
import { createGrpcFlintlock } from "./create-grpc-flintlock.js";
import { createRequest, hostAt } from "./create-request.fixture.js";

let folder: string;
let flintlock: FlintlockPort;
let hosts: EmbeddedHost[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fr-tls-"));
  flintlock = createGrpcFlintlock({ clock: systemClock, random: seededRandom(), resolveSecret: () => "t0ken" });
});

afterEach(async () => {
  await flintlock.stop();
  for (const host of hosts) await host.stop();
  hosts = [];
  rmSync(folder, { recursive: true });
});

type ServerName = "server" | "expired" | "elsewhere";

async function serve(name: ServerName, options: { readonly clientsOf?: "ca"; readonly token?: string } = {}): Promise<string> {
  const pair = { cert_chain: pem(name), private_key: pem(`${name}Key`) };
  const ca = options.clientsOf === undefined ? null : pem(options.clientsOf);
  const credentials = ServerCredentials.createSsl(ca, [pair], options.clientsOf !== undefined);
  const token = options.token === undefined ? {} : { token: options.token };
  const listen = "127.0.0.1:0";
  const driver = new MemoryDriver();
  const host = await startEmbeddedHost({ listen, driver, clock: new ManualClock(), random: seededRandom(), credentials, ...token });
  hosts.push(host);
  return host.address;
}

const list = (endpoint: string, tls: HostInput["tls"], more: Partial<HostInput> = {}) =>
  flintlock.list(hostAt(endpoint, { tls, ...more }), "fr-test");

const failure = async (call: Promise<unknown>): Promise<FireRunnerError> => {
  try {
    await call;
  } catch (error) {
    return error as FireRunnerError;
  }
  throw new Error("it did not fail");
};

describe("a host with TLS", () => {
  it("is spoken with when its certificate comes from the given CA", async () => {
    expect(await list(await serve("server"), { caFile: pemFile(folder, "ca") })).toEqual([]);
  });

  it("gets the token too", async () => {
    const endpoint = await serve("server", { token: "t0ken" });
    const caFile = pemFile(folder, "ca");
    expect(await list(endpoint, { caFile }, { token: "env:T" })).toEqual([]);
    expect(await failure(list(endpoint, { caFile }))).toMatchObject({ code: "FR-HOST-UNAUTHORIZED" });
  });

  it("gets a client certificate when it demands one", async () => {
    const endpoint = await serve("server", { clientsOf: "ca" });
    const caFile = pemFile(folder, "ca");
    const own = { certFile: pemFile(folder, "client"), keyFile: pemFile(folder, "clientKey") };
    expect(await list(endpoint, { caFile, ...own })).toEqual([]);
  });

  it.each<[string, ServerName, "ca" | "otherCa" | undefined, RegExp]>([
    ["a CA that is not the given one", "server", "otherCa", /CA that is not trusted; set tls\.caFile/],
    ["a CA that the system does not know", "server", undefined, /CA that is not trusted; set tls\.caFile/],
    ["an expired certificate", "expired", "ca", /certificate has expired; renew it/],
    ["a certificate for another name", "elsewhere", "ca", /certificate is for another name/],
  ])("is not spoken with after %s, and a Create was certainly not sent", async (_what, name, ca, advice) => {
    const endpoint = await serve(name);
    const tls = ca === undefined ? {} : { caFile: pemFile(folder, ca) };
    const error = await failure(flintlock.create(createRequest(hostAt(endpoint, { tls }))));
    expect(error).toMatchObject({ code: "FR-HOST-UNREACHABLE", retryable: false });
    expect(error.message).toMatch(advice);
    expect(hosts[0]?.microvms()).toEqual([]);
  });

  it("that demands a client certificate tells apart none and a wrong one", async () => {
    const endpoint = await serve("server", { clientsOf: "ca" });
    const caFile = pemFile(folder, "ca");
    const none = await failure(list(endpoint, { caFile }));
    expect(none.message).toMatch(/demands a client certificate|wants a client certificate/);
    const strange = { certFile: pemFile(folder, "stranger"), keyFile: pemFile(folder, "strangerKey") };
    const wrong = await failure(list(endpoint, { caFile, ...strange }));
    expect(wrong).toMatchObject({ code: "FR-HOST-UNREACHABLE" });
    expect(wrong.message).toMatch(/tls\.certFile/);
  });

  it("is not spoken with in the clear, and one without TLS not with it", async () => {
    const endpoint = await serve("server");
    expect((await failure(list(endpoint, { insecure: true }))).message).toContain("whether it wants TLS");
    const plain = await startEmbeddedHost({
      listen: "127.0.0.1:0",
      driver: new MemoryDriver(),
      clock: new ManualClock(),
      random: seededRandom(),
    });
    hosts.push(plain);
    expect((await failure(list(plain.address, { caFile: pemFile(folder, "ca") }))).message).toContain("{insecure: true}");
  });
});

describe("certificate files", () => {
  it("are read again when they have changed", async () => {
    const endpoint = await serve("server", { clientsOf: "ca" });
    const caFile = join(folder, "rotating-ca.pem");
    const own = { certFile: pemFile(folder, "client"), keyFile: pemFile(folder, "clientKey") };
    writeFileSync(caFile, pem("otherCa"));
    await failure(list(endpoint, { caFile, ...own }));
    writeFileSync(caFile, pem("ca"));
    expect(await list(endpoint, { caFile, ...own })).toEqual([]);
  });

  it("may be replaced one after the other: until key and certificate fit again, the old pair is used", async () => {
    const endpoint = await serve("server", { clientsOf: "ca" });
    const [certFile, keyFile] = [join(folder, "own.pem"), join(folder, "own.key")];
    const tls = { caFile: pemFile(folder, "ca"), certFile, keyFile };
    writeFileSync(certFile, pem("stranger"));
    writeFileSync(keyFile, pem("strangerKey"));
    await failure(list(endpoint, tls));
    const between: [string, () => void][] = [
      ["a key that does not fit", () => writeFileSync(keyFile, pem("clientKey"))],
      ["half a certificate", () => writeFileSync(certFile, pem("client").subarray(0, 300))],
      ["no certificate", () => rmSync(certFile)],
    ];
    for (const [what, change] of between) {
      change();
      expect((await failure(list(endpoint, tls))).code, what).toBe("FR-HOST-UNREACHABLE");
    }
    writeFileSync(certFile, pem("client"));
    expect(await list(endpoint, tls)).toEqual([]);
    writeFileSync(keyFile, pem("strangerKey"));
    expect(await list(endpoint, tls)).toEqual([]);
    writeFileSync(certFile, pem("stranger"));
    expect((await failure(list(endpoint, tls))).code).toBe("FR-HOST-UNREACHABLE");
    // Declared anew, files that do not fit are refused.
    writeFileSync(keyFile, pem("clientKey"));
    expect((await failure(list(endpoint, { ...tls, caFile: pemFile(folder, "otherCa") }))).code).toBe("FR-CONFIG");
  });

  it.each<[string, (path: string) => void]>([
    ["missing", () => undefined],
    ["without a certificate", (path) => writeFileSync(path, "nothing")],
  ])("%s are told with their path before anything is sent", async (_what, write) => {
    const caFile = join(folder, "some-ca.pem");
    write(caFile);
    const error = await failure(flintlock.create(createRequest(hostAt("127.0.0.1:1", { tls: { caFile } }))));
    expect(error).toMatchObject({ code: "FR-CONFIG", retryable: false });
    expect(error.message).toContain(caFile);
  });
});
