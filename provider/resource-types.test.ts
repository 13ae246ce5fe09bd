import { describe, expect, it } from "vitest";
import { loaderOf, resourceTypes, tokenOf } from "./resource-types.js";

describe("what states hold for ever", () => {
  it("the code of every type is this text, letter for letter", () => {
    expect(resourceTypes.map(loaderOf)).toEqual([
      'exports.handler = () => require("firerunner/dynamic").provider("FlintlockHost");',
      'exports.handler = () => require("firerunner/dynamic").provider("MicrovmImage");',
      'exports.handler = () => require("firerunner/dynamic").provider("GitLabConnection");',
      'exports.handler = () => require("firerunner/dynamic").provider("RunnerPool");',
    ]);
  });

  it("and its type is this one", () => {
    expect(resourceTypes.map(tokenOf)).toEqual([
      "pulumi-nodejs:dynamic/firerunner:FlintlockHost",
      "pulumi-nodejs:dynamic/firerunner:MicrovmImage",
      "pulumi-nodejs:dynamic/firerunner:GitLabConnection",
      "pulumi-nodejs:dynamic/firerunner:RunnerPool",
    ]);
  });
});
