import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { serviceSchema } from "../../reconciler/model/service.js";
import { checkYaml, readYamlFile } from "../../reconciler/yaml-file.js";
import { root } from "./child.fixture.js";

const deployed = (path: string) => join(root, "deploy", path);

describe("what deploy/ holds", () => {
  it("a systemd unit that systemd takes, and that is confined", ({ skip }) => {
    const found = spawnSync("systemd-analyze", ["--version"]).status === 0;
    if (!found && process.env.CI !== "true") skip("no systemd-analyze");
    const folder = mkdtempSync(join(tmpdir(), "firerunner-unit-"));
    try {
      // It is looked at without an installed package.
      const unit = readFileSync(deployed("systemd/firerunner.service"), "utf8").replaceAll("/opt/firerunner/bin/firerunner", "/bin/true");
      const file = join(folder, "firerunner.service");
      writeFileSync(file, unit);
      const verified = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8" });
      const said = verified.stderr.split("\n").filter((line) => line.includes("firerunner.service"));
      expect([verified.status, said]).toEqual([0, []]);
      const confined = spawnSync("systemd-analyze", ["security", "--offline=yes", "--threshold=20", file], { encoding: "utf8" });
      expect(confined.status, confined.stdout).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("a service file for the compose file's replicas that the service takes, with every secret that it names", () => {
    const service = checkYaml(serviceSchema, readYamlFile(deployed("compose/firerunner.yaml"), "FR-CONFIG"), "FR-CONFIG");
    const compose = parse(readFileSync(deployed("compose/compose.yaml"), "utf8"));
    const { firerunner, redis } = compose.services;
    expect(service.store).toMatchObject({ kind: "redis", url: { host: "redis", port: 6379 } });
    const named = [service.key, service.admin.token, service.store.kind === "redis" ? service.store.password : ""];
    expect(named).toEqual(["key", "admin-token", "redis-password"].map((secret) => `file:/run/secrets/${secret}`));
    expect(firerunner.secrets).toEqual(Object.keys(compose.secrets));
    expect(Number.parseInt(firerunner.stop_grace_period, 10)).toBeGreaterThan(service.drainS + 60);
    expect(redis.command.at(-1)).toMatch(/--appendonly yes --appendfsync always --maxmemory-policy noeviction/);
  });
});
