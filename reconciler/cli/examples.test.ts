import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
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

it.each([
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "docs/service.md",
  "docs/gitlab.md",
  "docs/operations.md",
  "examples/own-hosts/README.md",
  "examples/quickstart/README.md",
])("the links of %s lead to files that are there", (file) => {
  const links = [...readFileSync(path(file), "utf8").matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map(([, link]) => link ?? "");
  const folder = file.includes("/") ? file.slice(0, file.lastIndexOf("/") + 1) : "";
  expect(links.filter((link) => !existsSync(path(folder + link)))).toEqual([]);
});
