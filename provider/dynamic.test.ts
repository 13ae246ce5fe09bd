import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { provider } from "./dynamic.js";

const image = { name: "base", kernel: { image: "registry.example/kernel:6.1" }, rootfs: { image: "registry.example/rootfs:1" } };

describe("the handlers that `pulumi up` calls", () => {
  let server: Server;
  let requests: { readonly method: string; readonly url: string; readonly authorization: string; readonly body: string }[];
  let respond: (body: string) => { status: number; json: unknown };

  beforeEach(async () => {
    requests = [];
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks).toString();
      requests.push({ method: request.method ?? "", url: request.url ?? "", authorization: request.headers.authorization ?? "", body });
      const { status, json } = respond(body);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    process.env.FIRERUNNER_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    process.env.FIRERUNNER_TOKEN = "secret";
  });

  afterEach(async () => {
    delete process.env.FIRERUNNER_URL;
    delete process.env.FIRERUNNER_TOKEN;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it("create puts the record with its defaults and returns its name and generation", async () => {
    respond = (body) => ({ status: 201, json: { spec: JSON.parse(body), generation: 1, order: 0, declaredAt: 0 } });
    const { id, outs } = await provider("MicrovmImage").create({ ...image, __provider: "loader" });
    expect(id).toBe("base");
    expect(outs).toMatchObject({ generation: 1, arch: "amd64" });
    expect(requests[0]).toMatchObject({ method: "PUT", url: "/v1/images/base", authorization: "Bearer secret" });
    expect(JSON.parse(requests[0]?.body ?? "")).not.toHaveProperty("__provider");
  });

  it("check names the refused field and fills in what was left out", async () => {
    expect(await provider("MicrovmImage").check({}, { ...image, __provider: "loader" })).toMatchObject({
      inputs: { bootstrap: "agent" },
      failures: [],
    });
    const refused = await provider("MicrovmImage").check({}, { ...image, arch: "sparc" });
    expect(refused.failures.map(({ property }) => property)).toEqual(["arch"]);
  });

  it("a changed name replaces, anything else updates, and the generation is no difference", async () => {
    const image1 = provider("MicrovmImage");
    expect(await image1.diff("base", { ...image, generation: 3 }, image)).toMatchObject({ changes: false, replaces: [] });
    expect(await image1.diff("base", image, { ...image, arch: "arm64" })).toMatchObject({ changes: true, replaces: [] });
    expect(await image1.diff("base", image, { ...image, name: "other" })).toMatchObject({ changes: true, replaces: ["name"] });
  });

  it("a record that is gone reads as gone and deletes without complaint", async () => {
    respond = () => ({ status: 404, json: { code: "FR-NOT-FOUND", message: "no such image" } });
    expect(await provider("MicrovmImage").read("base", {})).toEqual({});
    await expect(provider("MicrovmImage").delete("base", {})).resolves.toBeUndefined();
  });

  it("a refusal says what the service said", async () => {
    respond = () => ({ status: 409, json: { code: "FR-REFERENCED", message: 'image "base" is used by pool "small"' } });
    await expect(provider("MicrovmImage").delete("base", {})).rejects.toMatchObject({
      code: "FR-REFERENCED",
      message: expect.stringContaining('image "base" is used by pool "small"'),
    });
  });

  it("an answer that is not the service's points to the URL", async () => {
    respond = () => ({ status: 502, json: "<html>" });
    await expect(provider("MicrovmImage").update("base", {}, image)).rejects.toMatchObject({
      code: "FR-CONFIG",
      message: expect.stringContaining("502"),
    });
  });
});
