import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { agentCloudConfig } from "./cloud-config.js";
import { recipe } from "./recipes.js";

interface CloudConfig {
  readonly write_files: readonly {
    readonly path: string;
    readonly permissions: string;
    readonly encoding: string;
    readonly content: string;
  }[];
  readonly runcmd: readonly (readonly string[])[];
}

it("the user-data brings the agent and what it calls, and starts it", () => {
  const text = agentCloudConfig();
  expect(text.startsWith("#cloud-config\n")).toBe(true);
  const { write_files: files, runcmd } = parse(text) as CloudConfig;
  const brought = new Map(files.map((file) => [file.path, file]));
  const agent = brought.get("/usr/local/bin/firerunner-agent");
  expect(agent).toMatchObject({ permissions: "0755", encoding: "gz+b64" });
  const unpacked = gunzipSync(Buffer.from(agent?.content ?? "", "base64")).toString();
  expect(unpacked).toBe(readFileSync(recipe("agent/firerunner-agent"), "utf8"));
  for (const path of ["/usr/local/bin/fr-http", "/usr/local/bin/fr-guest", "/etc/systemd/system/firerunner-agent.service"]) {
    expect([...brought.keys()]).toContain(path);
  }
  expect(runcmd.map(([program = ""]) => brought.get(program)?.permissions)).toEqual(["0755"]);
});

it("the user-data leaves room for the rest in the 51,200 bytes that Firecracker's metadata may have", () => {
  expect(agentCloudConfig().length).toBeLessThan(32_000);
  expect(agentCloudConfig()).toBe(agentCloudConfig());
});
