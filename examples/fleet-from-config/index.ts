import * as pulumi from "@pulumi/pulumi";
import { RunnerFleet, type RunnerFleetArgs } from "firerunner";

// Everything stands in the stack's configuration, in the form of the fleet file of `firerunner apply`.
const fleet = new RunnerFleet("fleet", new pulumi.Config("firerunner").requireObject<RunnerFleetArgs>("fleet"));

export const hosts = fleet.hosts.map((host) => ({ name: host.name, reachable: host.reachable, why: host.unreachableReason }));
export const webhookPaths = fleet.connections.map((connection) => connection.webhookPath);
export const pools = fleet.pools.map((pool) => pool.name);
