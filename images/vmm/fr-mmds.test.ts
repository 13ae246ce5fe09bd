import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";

const program = fileURLToPath(new URL("fr-mmds.mjs", import.meta.url));
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "firerunner-mmds-"));
  writeFileSync(
    join(folder, "m.json"),
    JSON.stringify({ latest: { "firerunner-boot": "v=1\nvm=a\n", "meta-data": "x", nested: { n: 1 } } }),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function ask(version: "V1" | "V2", head: string): { readonly status: number; readonly body: string } {
  const { stdout } = spawnSync(process.execPath, [program, join(folder, "m.json"), version], {
    input: `${head}\r\n\r\n`,
    encoding: "utf8",
  });
  const [answered = "", ...rest] = stdout.split("\r\n\r\n");
  return { status: Number(answered.split(" ")[1]), body: rest.join("\r\n\r\n") };
}

it("answers texts as they are, objects by their keys, and JSON to whoever asks for it", () => {
  expect(ask("V1", "GET /latest/firerunner-boot HTTP/1.1\r\nAccept: */*")).toEqual({ status: 200, body: "v=1\nvm=a\n" });
  expect(ask("V1", "GET /latest/ HTTP/1.1")).toEqual({ status: 200, body: "firerunner-boot\nmeta-data\nnested/" });
  expect(ask("V1", "GET /latest HTTP/1.1\r\nAccept: application/json").body).toBe(
    JSON.stringify({ "firerunner-boot": "v=1\nvm=a\n", "meta-data": "x", nested: { n: 1 } }),
  );
});

it("knows nothing beyond its metadata", () => {
  for (const path of ["/latest/none", "/latest/constructor", "/latest/meta-data/x", "/../etc/passwd"]) {
    expect(ask("V1", `GET ${path} HTTP/1.1`).status, path).toBe(404);
  }
  expect(ask("V1", "POST /latest HTTP/1.1").status).toBe(405);
  expect(ask("V1", "GET /latest/nested/n HTTP/1.1").status).toBe(501);
});

it("in version 2 answers those alone who bring a token that it gave", () => {
  const asked = (token: string) => ask("V2", `GET /latest/meta-data HTTP/1.1\r\nX-Metadata-Token: ${token}`).status;
  const { status, body } = ask("V2", "PUT /latest/api/token HTTP/1.1\r\nX-Metadata-Token-Ttl-Seconds: 60");
  expect(status).toBe(200);
  expect(asked(body)).toBe(200);
  expect(asked("")).toBe(401);
  expect(asked(`${Date.now() + 1e6}.${"0".repeat(64)}`)).toBe(401);
  expect(asked(body.replace(/^\d/, "9"))).toBe(401);
  for (const seconds of ["", "0", "99999", "x"]) {
    expect(ask("V2", `PUT /latest/api/token HTTP/1.1\r\nX-Metadata-Token-Ttl-Seconds: ${seconds}`).status).toBe(400);
  }
});
