import * as pulumi from "@pulumi/pulumi";
import { RunnerPool } from "firerunner";

const config = new pulumi.Config();
const platform = new pulumi.StackReference(`${config.require("platform")}/${pulumi.getStack()}`);

const pool = new RunnerPool("linux", {
  connection: platform.requireOutput("connection"),
  image: platform.requireOutput("image"),
  tags: ["linux"],
  sizes: { small: { vcpu: 1, memoryMb: 1024 } },
  size: "small",
  minIdle: config.requireNumber("minIdle"),
  maxMicrovms: config.requireNumber("maxMicrovms"),
});

export const poolName = pool.name;
