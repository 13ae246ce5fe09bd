import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { z } from "zod";
import { fleetRefusals, fleetSchema } from "../model/fleet.js";
import { serviceSchema } from "../model/service.js";
import { checkYaml, readYamlFile } from "../yaml-file.js";

const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname;

it("the files of examples/own-hosts are accepted as they stand", () => {
  const service = checkYaml(serviceSchema, readYamlFile(path("examples/own-hosts/firerunner.yaml"), "FR-CONFIG"), "FR-CONFIG");
  expect(service.owner).toBe("acme");
  const fleet = checkYaml(fleetSchema, readYamlFile(path("examples/own-hosts/fleet.yaml"), "FR-CONFIG"), "FR-CONFIG");
  expect(fleetRefusals(fleet)).toEqual([]);
});

it.each(["dev", "prod"])("the fleet of Pulumi.%s.yaml has the form of the fleet file", (stack) => {
  const { value } = readYamlFile(path(`Pulumi.${stack}.yaml`), "FR-CONFIG");
  const { config } = z.object({ config: z.object({ "firerunner:fleet": z.looseObject({}) }) }).parse(value);
  const { resolveTags: _resolveTags, ...fleet } = config["firerunner:fleet"];
  expect(fleetRefusals(fleetSchema.parse(fleet))).toEqual([]);
});

it.each([
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "docs/service.md",
  "docs/gitlab.md",
  "docs/performance.md",
  "docs/pulumi.md",
  "docs/operations.md",
  "examples/own-hosts/README.md",
  "examples/quickstart/README.md",
  "examples/pulumi-quickstart/README.md",
  "examples/multi-host/README.md",
  "examples/stacks-per-environment/README.md",
  "examples/fleet-from-config/README.md",
])("the links of %s lead to files that are there", (file) => {
  const links = [...readFileSync(path(file), "utf8").matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map(([, link]) => link ?? "");
  const folder = file.includes("/") ? file.slice(0, file.lastIndexOf("/") + 1) : "";
  expect(links.filter((link) => !existsSync(path(folder + link)))).toEqual([]);
});
