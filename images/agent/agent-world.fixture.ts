import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { type AgentMachine, makeAgentMachine, type RunningAgent } from "./agent.fixture.js";
import { type GuestListener, type GuestScript, startGuestListener } from "./guest-listener.fixture.js";

/** A machine, a reconciler's side with given answers, and the agents between them: new for each test, gone after it. */
export interface AgentWorld {
  readonly machine: AgentMachine;
  listen(script?: GuestScript): Promise<GuestListener>;
  start(reconciler: GuestListener, env?: Readonly<Record<string, string>>): RunningAgent;
  /** Lets the fake runner's job go on until `letRunnerEnd`. */
  hold(): void;
  letRunnerEnd(): void;
}

/** For tests that wait for heartbeats; elsewhere they are rare, because each is a process. */
export const quickHeartbeats = { FIRERUNNER_HEARTBEAT_S: "0.05" };

/** Gives every test of the file a world of its own; `world()` is the running test's. */
export function useAgentWorld(): () => AgentWorld {
  let world: AgentWorld | undefined;
  let listeners: GuestListener[] = [];
  let agents: RunningAgent[] = [];

  beforeEach(() => {
    const machine = makeAgentMachine();
    const held = join(machine.directory, "hold");
    world = {
      machine,
      async listen(script) {
        const listener = await startGuestListener(script);
        listeners.push(listener);
        return listener;
      },
      start(reconciler, env = {}) {
        const agent = machine.start({ FIRERUNNER_BOOT_FILE: machine.bootFile(reconciler.url), ...env });
        agents.push(agent);
        return agent;
      },
      hold: () => writeFileSync(held, ""),
      letRunnerEnd: () => rmSync(held),
    };
  });

  afterEach(async () => {
    for (const agent of agents) agent.killGroup();
    for (const listener of listeners) await listener.stop();
    agents = [];
    listeners = [];
    world?.machine.remove();
    world = undefined;
  });

  return () => {
    if (world === undefined) throw new Error("there is a world only while a test runs");
    return world;
  };
}

/** Lines `key=value` of a body as an object. */
export function fields(body: string | undefined): Record<string, string> {
  const lines = (body ?? "").split("\n").filter((line) => line !== "");
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}
